"""Types whose values are kept in the source and found by `exists`, but not searched yet: geo points and shapes, ranges."""

from __future__ import annotations

from quidditch.mapping.types.base import DOC_VALUES, IGNORE_MALFORMED, INDEX, META, STORE, Param, TypeDef, bool_param

_RANGES = ("integer_range", "long_range", "float_range", "double_range", "ip_range")

GEO_POINT = TypeDef(
    "geo_point",
    (
        INDEX,
        DOC_VALUES,
        STORE,
        IGNORE_MALFORMED,
        bool_param("ignore_z_value", True, updateable=True, explicit=True),
        Param("null_value", lambda _field, value, _ctx: value),
    ),
    plain=True,
)
GEO_SHAPE = TypeDef(
    "geo_shape",
    (
        INDEX,
        DOC_VALUES,
        STORE,
        IGNORE_MALFORMED,
        bool_param("ignore_z_value", True, updateable=True, explicit=True),
        bool_param("coerce", False, updateable=True),
        Param("orientation", lambda _field, value, _ctx: str(value), "right", True),
    ),
    plain=True,
)
RANGES = tuple(
    TypeDef(name, (INDEX, DOC_VALUES, STORE, bool_param("coerce", True, updateable=True), META)) for name in _RANGES
)
DATE_RANGE = TypeDef(
    "date_range",
    (
        INDEX,
        DOC_VALUES,
        STORE,
        bool_param("coerce", True, updateable=True),
        Param("format", lambda _field, value, _ctx: str(value)),
        Param("locale", lambda _field, value, _ctx: str(value)),
        META,
    ),
)

TYPES = (GEO_POINT, GEO_SHAPE, DATE_RANGE, *RANGES)
