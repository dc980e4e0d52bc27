"""Colours that people with any kind of colour vision can tell apart, for pictures and for the report."""

from typing import Final

#: Colours of clusters 0, 1, ... on white. From the palettes of Okabe and Ito and of Paul Tol, so chosen that
#: the two nearest stay apart also for people who see two of the three basic colours (the tests measure it).
ON_WHITE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#332288", "#E69F00", "#882255", "#33BBEE")

#: The same on a photo, lighter: under each line lies a dark one, so that it stands out everywhere.
ON_IMAGE: Final = ("#56B4E9", "#E69F00", "#DC267F", "#C0FFEE", "#785EF0", "#EEDD88", "#FF7F50", "#FFAABB")

OUTLIER_ON_WHITE: Final = "#555555"
OUTLIER_ON_IMAGE: Final = "#FFFFFF"

#: Agreement from low to high: its lightness rises steadily, so that it is read in grey too.
HEAT: Final = "viridis"

#: The same at equal steps from 0 to 1, for where there is no Matplotlib.
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
