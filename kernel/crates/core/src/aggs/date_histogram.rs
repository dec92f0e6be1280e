//! `date_histogram`: calendar and fixed intervals, time zones, offsets, gaps.

use serde_json::Value;

use super::buckets::{Buckets, Keyer, Scratch, distribute};
use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::format::Format;
use super::histogram::{self, Filler, Shape, hand_on, multi_bucket};
use super::out::Out;
use super::params;
use super::partial::Partial;
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::rounding::{Rounding, Unit, parse_duration};
use super::source::{NumKind, Numbers, i64_to_raw, raw_to_i64};
use super::value::ValueParams;
use crate::aggs::RenderOptions;
use crate::{Error, Result};

pub struct DateHistogram {
    values: ValueParams,
    shape: Shape,
    rounding: Rounding,
    extended: (Option<i64>, Option<i64>),
    hard: (Option<i64>, Option<i64>),
}

impl DateHistogram {
    pub fn parse(params: &Value) -> Result<DateHistogram> {
        let zone = params::text(params, "time_zone");
        let offset = duration(params, "offset")?.unwrap_or(0);
        let rounding = rounding(params, zone, offset)?;
        let bounds = |key: &str| -> Result<(Option<i64>, Option<i64>)> {
            let Some(found) = params::value(params, key) else { return Ok((None, None)) };
            Ok((instant(found, "min", params)?, instant(found, "max", params)?))
        };
        let extended = bounds("extended_bounds")?;
        let plain = |bound: Option<i64>| bound.map(|b| rounding.round_plain(b) + rounding.offset());
        Ok(DateHistogram {
            values: ValueParams::required(params)?,
            shape: Shape::parse(params)?,
            extended: (plain(extended.0), plain(extended.1)),
            hard: bounds("hard_bounds")?,
            rounding,
        })
    }

    fn fill(&self, filler: &mut Filler<'_>, keys: &[u64]) -> Result<()> {
        let mut between = |mut key: i64, end: i64| -> Result<()> {
            while key < end {
                filler.add(i64_to_raw(key))?;
                key = self.rounding.next(key);
            }
            Ok(())
        };
        let (min, max) = self.extended;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return match (min, max) {
                (Some(min), Some(max)) => between(min, max + 1),
                _ => Ok(()),
            };
        };
        if let Some(min) = min {
            between(min, raw_to_i64(*first))?;
        }
        for pair in keys.windows(2) {
            between(self.rounding.next(raw_to_i64(pair[0])), raw_to_i64(pair[1]))?;
        }
        match max {
            Some(max) => between(self.rounding.next(raw_to_i64(*last)), max + 1),
            None => Ok(()),
        }
    }
}

/// A bound: epoch milliseconds, or a date in the request's format.
fn instant(bounds: &Value, key: &str, params: &Value) -> Result<Option<i64>> {
    match params::value(bounds, key) {
        None => Ok(None),
        Some(Value::String(text)) => {
            let pattern = params::text(params, "format").unwrap_or(super::format::DEFAULT_DATE_FORMAT).to_string();
            let zone = params::text(params, "time_zone").map(str::to_string);
            super::format::parse_date(text, &Format::Date { pattern, zone }).map(Some)
        }
        Some(number) => Ok(number.as_i64().or_else(|| number.as_f64().map(|f| f as i64))),
    }
}

/// A duration in milliseconds, as text with a unit or as a number.
fn duration(params: &Value, key: &str) -> Result<Option<i64>> {
    match params::value(params, key) {
        None => Ok(None),
        Some(Value::String(text)) => parse_duration(text).map(Some).ok_or_else(|| {
            Error::illegal_argument(format!(
                "failed to parse setting [date_histogram.{key}] with value [{text}] as a time value: unit is missing or unrecognized"
            ))
        }),
        Some(number) => Ok(number.as_i64().or_else(|| number.as_f64().map(|f| f as i64))),
    }
}

pub fn rounding(params: &Value, zone: Option<&str>, offset: i64) -> Result<Rounding> {
    if let Some(name) = params::text(params, "calendar_interval") {
        let unit = Unit::parse(name).ok_or_else(|| {
            Error::illegal_argument(format!(
                "The supplied interval [{name}] could not be parsed as a calendar interval."
            ))
        })?;
        return Rounding::calendar(unit, zone, offset);
    }
    if let Some(interval) = duration(params, "fixed_interval")? {
        return Rounding::fixed(interval, zone, offset);
    }
    match params::value(params, "interval") {
        Some(Value::String(name)) if Unit::parse(name).is_some() => {
            Rounding::calendar(Unit::parse(name).unwrap_or(Unit::Day), zone, offset)
        }
        Some(_) => Rounding::fixed(duration(params, "interval")?.unwrap_or(0), zone, offset),
        None => Err(Error::illegal_argument("Invalid interval specified, must be non-null and non-empty")),
    }
}

impl AggKind for DateHistogram {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let (numbers, mut format) = self.values.numbers(ctx, "date_histogram")?;
        if self.values.format.is_none() && !matches!(numbers.kind, NumKind::Millis | NumKind::Nanos | NumKind::F64) {
            format = Format::Raw;
        }
        Ok(Box::new(DateCollector {
            keyer: DateKeyer { agg: self, kind: numbers.kind, plan: Prepared::Slow { start: 0, end: 0 } },
            numbers,
            format,
            buckets: Buckets::new(ctx.budget.clone(), true),
            scratch: Scratch::default(),
            subs,
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        self.shape.reduce(parts, node, ctx, |filler, keys| self.fill(filler, keys))
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        self.shape.render(partial, node, out, options, |raw, format, out| {
            out.long(raw_to_i64(raw));
            format.long(raw_to_i64(raw))
        });
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "date_histogram"
    }

    fn value(&self, _partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}

struct DateCollector<'a> {
    keyer: DateKeyer<'a>,
    numbers: Numbers,
    format: Format,
    buckets: Buckets,
    scratch: Scratch,
    subs: Subs<'a>,
}

impl Collector for DateCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.numbers.begin(segment)?;
        let span = self.keyer.prepare(self.numbers.bounds());
        self.buckets.begin(span);
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let loaded = self.numbers.load(block.docs);
        let keep = !self.subs.is_empty();
        let went = distribute(&mut self.buckets, &mut self.keyer, block, loaded, &mut self.scratch, keep)?;
        hand_on(went, block, &self.scratch, &self.buckets, &mut self.subs)
    }

    fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let shape = &self.keyer.agg.shape;
        histogram::build(&mut self.buckets, &mut self.subs, owners, shape, &self.format, |raw| raw)
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}

/// How the instants of a segment are rounded.
enum Prepared {
    /// Keys are evenly spaced: slot = (instant - base) / interval, by multiplication with the inverse.
    Even { base: i64, interval: i64, inverse: f64 },
    /// All keys that the segment can have, ascending.
    Keys(Keys),
    /// Too many keys: round one by one, remembering the last bucket.
    Slow { start: i64, end: i64 },
}

/// Ascending keys, and a grid over their time that tells where to begin to look.
struct Keys {
    keys: Vec<i64>,
    base: i64,
    shift: u32,
    grid: Vec<u16>,
}

/// Cells of the grid, at most.
const CELLS: u64 = 8192;

impl Keys {
    /// For instants from the first key to `max`.
    fn new(keys: Vec<i64>, max: i64) -> Keys {
        let base = keys[0];
        let width = (max - base) as u64;
        let mut shift = 0;
        while width >> shift >= CELLS {
            shift += 1;
        }
        let mut slot = 0;
        let mut grid = Vec::with_capacity((width >> shift) as usize + 1);
        for cell in 0..=(width >> shift) as i64 {
            while keys.get(slot + 1).is_some_and(|next| *next <= base + (cell << shift)) {
                slot += 1;
            }
            grid.push(slot as u16);
        }
        Keys { keys, base, shift, grid }
    }

    #[inline(always)]
    fn slot(&self, instant: i64) -> u32 {
        let mut slot = self.grid[((instant - self.base) as u64 >> self.shift) as usize] as usize;
        while slot + 1 < self.keys.len() && self.keys[slot + 1] <= instant {
            slot += 1;
        }
        slot as u32
    }
}

/// Keys that a segment may have for a list of them to be made.
const MAX_KEYS: usize = 4096;

struct DateKeyer<'a> {
    agg: &'a DateHistogram,
    kind: NumKind,
    plan: Prepared,
}

impl DateKeyer<'_> {
    /// Looks at the bounds of a segment's values; the number of dense slots, or 0.
    fn prepare(&mut self, bounds: Option<(u64, u64)>) -> usize {
        self.plan = Prepared::Slow { start: 0, end: 0 };
        let Some((min, max)) = bounds else { return 0 };
        let (min, max) = (self.kind.to_i64(min), self.kind.to_i64(max));
        let rounding = &self.agg.rounding;
        // Far out of any calendar the lists below would not end.
        if max.checked_sub(min).is_none() || min < -1 << 52 || max > 1 << 52 {
            return 0;
        }
        let base = rounding.round(min);
        if let Some((interval, _)) = rounding.even() {
            let span = (max - base) / interval + 1;
            self.plan = Prepared::Even { base, interval, inverse: 1.0 / interval as f64 };
            return span as usize;
        }
        let mut keys = vec![base];
        loop {
            let next = rounding.next(keys[keys.len() - 1]);
            if next > max {
                break;
            }
            if keys.len() == MAX_KEYS {
                return 0;
            }
            keys.push(next);
        }
        let span = keys.len();
        self.plan = Prepared::Keys(Keys::new(keys, max));
        span
    }
}

impl Keyer for DateKeyer<'_> {
    fn slots(&mut self, raw: &[u64], out: &mut Vec<u32>) {
        let kind = self.kind;
        match &self.plan {
            Prepared::Even { base, interval, inverse } => {
                let (base, interval, inverse) = (*base, *interval, *inverse);
                out.extend(raw.iter().map(|r| even_slot(kind.to_i64(*r) - base, interval, inverse)));
            }
            Prepared::Keys(keys) => out.extend(raw.iter().map(|r| keys.slot(kind.to_i64(*r)))),
            Prepared::Slow { .. } => {}
        }
    }

    fn key_of_slot(&self, slot: u32) -> u64 {
        i64_to_raw(match &self.plan {
            Prepared::Even { base, interval, .. } => base + i64::from(slot) * interval,
            Prepared::Keys(keys) => keys.keys[slot as usize],
            Prepared::Slow { start, .. } => *start,
        })
    }

    fn keys(&mut self, raw: &[u64], out: &mut Vec<u64>) {
        let (mut start, mut end) = match self.plan {
            Prepared::Slow { start, end } => (start, end),
            _ => (0, 0),
        };
        for r in raw {
            let instant = self.kind.to_i64(*r);
            if instant < start || instant >= end {
                start = self.agg.rounding.round(instant);
                end = self.agg.rounding.next(start);
            }
            out.push(i64_to_raw(start));
        }
        if let Prepared::Slow { start: s, end: e } = &mut self.plan {
            (*s, *e) = (start, end);
        }
    }

    fn accept(&self, key: u64) -> bool {
        let key = raw_to_i64(key);
        let (min, max) = self.agg.hard;
        min.is_none_or(|min| key >= min) && max.is_none_or(|max| key < max)
    }
}

/// `since / interval`: the estimate in doubles is off by one at most, as both are below 2^53.
#[inline(always)]
fn even_slot(since: i64, interval: i64, inverse: f64) -> u32 {
    let guess = (since as f64 * inverse) as i64;
    let rest = since - guess * interval;
    (guess + i64::from(rest >= interval) - i64::from(rest < 0)) as u32
}

#[cfg(test)]
mod tests {
    use super::{Keys, even_slot};

    #[test]
    fn the_grid_finds_the_last_key_not_after_an_instant() {
        for max in [100i64, 5_000, 1_000_000] {
            let list = vec![-7i64, 0, 1, 40, 90, 91, 99];
            let keys = Keys::new(list.clone(), max);
            for instant in (-7..200.min(max)).chain([max]) {
                let expected = list.partition_point(|k| *k <= instant) - 1;
                assert_eq!(keys.slot(instant) as usize, expected, "{instant}");
            }
        }
    }

    #[test]
    fn slots_by_multiplication_are_those_of_division() {
        for interval in [1i64, 3, 7, 1000, 60_000, 86_400_000, 999_999_937] {
            let inverse = 1.0 / interval as f64;
            for step in 0..2000i64 {
                for near in [-1i64, 0, 1] {
                    let since = step * interval + near;
                    if since >= 0 {
                        assert_eq!(
                            i64::from(even_slot(since, interval, inverse)),
                            since / interval,
                            "{since} {interval}"
                        );
                    }
                }
            }
        }
    }
}
