"""The aggregations by name."""

from __future__ import annotations

from quidditch.query.aggs.cardinality import cardinality
from quidditch.query.aggs.compiler import AGGREGATIONS
from quidditch.query.aggs.composite import composite
from quidditch.query.aggs.date_histogram import date_histogram
from quidditch.query.aggs.deviation import median_absolute_deviation
from quidditch.query.aggs.filters import filter_agg, filters, global_agg, missing
from quidditch.query.aggs.histogram import histogram
from quidditch.query.aggs.ip_range import ip_range
from quidditch.query.aggs.metrics import extended_stats, simple_metric
from quidditch.query.aggs.nested import nested, reverse_nested
from quidditch.query.aggs.percentiles import percentile_ranks, percentiles
from quidditch.query.aggs.ranges import date_range, range_agg
from quidditch.query.aggs.terms import terms
from quidditch.query.aggs.top_hits import top_hits
from quidditch.query.aggs.weighted_avg import weighted_avg

AGGREGATIONS.update(
    {
        "avg": simple_metric,
        "sum": simple_metric,
        "min": simple_metric,
        "max": simple_metric,
        "stats": simple_metric,
        "value_count": simple_metric,
        "extended_stats": extended_stats,
        "cardinality": cardinality,
        "composite": composite,
        "weighted_avg": weighted_avg,
        "median_absolute_deviation": median_absolute_deviation,
        "percentiles": percentiles,
        "percentile_ranks": percentile_ranks,
        "terms": terms,
        "histogram": histogram,
        "date_histogram": date_histogram,
        "range": range_agg,
        "date_range": date_range,
        "ip_range": ip_range,
        "filter": filter_agg,
        "filters": filters,
        "missing": missing,
        "global": global_agg,
        "nested": nested,
        "reverse_nested": reverse_nested,
        "top_hits": top_hits,
    }
)
