"""Define the coordinate system of images for GIS programs."""

from typing import Final

#: WKT 2 of an engineering coordinate system, which has no place on Earth: pixels, y downwards. Without one,
#: GIS programs take the coordinates of GeoJSON for degrees of longitude and latitude.
PIXEL_CRS: Final = (
    'ENGCRS["image pixels",EDATUM["image"],CS[Cartesian,2],AXIS["x",east],AXIS["y",south],'
    'LENGTHUNIT["pixel",1]]'
)
