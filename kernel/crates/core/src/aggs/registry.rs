//! The kinds of aggregations by name.

use std::sync::Arc;

use serde_json::Value;

use super::cardinality::Cardinality;
use super::composite::Composite;
use super::count::ValueCount;
use super::date_histogram::DateHistogram;
use super::filters::Filters;
use super::histogram::Histogram;
use super::ip_range::IpRange;
use super::mad::Deviation;
use super::metric::{Metric, Which};
use super::params;
use super::percentiles::Percentiles;
use super::plan::AggKind;
use super::range::Range;
use super::single::OneBucket;
use super::terms::Terms;
use super::top_hits::TopHits;
use super::weighted::WeightedAvg;
use crate::{Error, Result};

/// The aggregation of this kind with these parameters.
pub fn kind(name: &str, kind: &str, params: &Value) -> Result<Arc<dyn AggKind>> {
    Ok(match kind {
        "avg" => Arc::new(Metric::parse(Which::Avg, params)?),
        "sum" => Arc::new(Metric::parse(Which::Sum, params)?),
        "min" => Arc::new(Metric::parse(Which::Min, params)?),
        "max" => Arc::new(Metric::parse(Which::Max, params)?),
        "stats" => Arc::new(Metric::parse(Which::Stats, params)?),
        "extended_stats" => {
            let sigma = params::double(params, "sigma").unwrap_or(2.0);
            Arc::new(Metric::parse(Which::Extended(sigma), params)?)
        }
        "value_count" => Arc::new(ValueCount::parse(params)?),
        "cardinality" => Arc::new(Cardinality::parse(params)?),
        "percentiles" => Arc::new(Percentiles::parse(params, false)?),
        "percentile_ranks" => Arc::new(Percentiles::parse(params, true)?),
        "terms" => Arc::new(Terms::parse(name, params)?),
        "histogram" => Arc::new(Histogram::parse(name, params)?),
        "date_histogram" => Arc::new(DateHistogram::parse(params)?),
        "range" => Arc::new(Range::parse(name, params, false)?),
        "date_range" => Arc::new(Range::parse(name, params, true)?),
        "weighted_avg" => Arc::new(WeightedAvg::parse(params)?),
        "median_absolute_deviation" => Arc::new(Deviation::parse(params)?),
        "ip_range" => Arc::new(IpRange::parse(name, params)?),
        "composite" => Arc::new(Composite::parse(params)?),
        "top_hits" => Arc::new(TopHits::parse(params)?),
        "filters" => Arc::new(Filters::parse(params)?),
        "filter" | "missing" | "global" | "nested" | "reverse_nested" => Arc::new(OneBucket::parse(kind, params)?),
        _ => return Err(Error::illegal_argument(format!("Unknown aggregation type [{kind}] of aggregation [{name}]"))),
    })
}
