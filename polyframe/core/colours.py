"""Define colours that people with any kind of colour vision can distinguish."""

from typing import Final

#: Colours of clusters 0, 1, ... on white, from the palettes of Okabe and Ito and of Paul Tol. Any two differ
#: visibly under each kind of dichromacy; a test measures it.
ON_WHITE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#332288", "#E69F00", "#882255", "#33BBEE")

#: Lighter colours for images, on which a wider dark line is below each line.
ON_IMAGE: Final = ("#56B4E9", "#E69F00", "#DC267F", "#A1E5B2", "#785EF0", "#EEDD88", "#FF7F50", "#19ECFF")

#: Outliers are also dashed. In greyscale, black and white differ in lightness from the colours of clusters.
OUTLIER_ON_WHITE: Final = "#000000"
OUTLIER_ON_IMAGE: Final = "#FFFFFF"

#: Colour map of agreement; its lightness increases steadily, so that it works in greyscale.
HEAT: Final = "viridis"

#: The outline of the majority on the map, with a rim: no colour of the map is as light or as dark as both.
MAJORITY: Final = "#FFFFFF"
MAJORITY_RIM: Final = "#000000"

#: The same map at equal steps from 0 to 1, for use without Matplotlib.
HEAT_STEPS: Final = (
    "#440154",
    "#482475",
    "#414487",
    "#355F8D",
    "#2A788E",
    "#21918C",
    "#22A884",
    "#44BF70",
    "#7AD151",
    "#BDDF26",
    "#FDE725",
)
