//! From the bounds of a `range` to those of its column.

use std::net::Ipv6Addr;
use std::ops::{Bound, RangeInclusive};

use serde_json::Value;

use super::super::values::{self, Exact};
use super::Range;
use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

/// Bounds in the form of the column.
#[derive(Debug, Clone)]
pub enum Bounds {
    Nothing,
    I64(RangeInclusive<i64>),
    U64(RangeInclusive<u64>),
    F64(RangeInclusive<f64>),
    Bool(RangeInclusive<bool>),
    Ip(RangeInclusive<Ipv6Addr>),
    Text(Bound<String>, Bound<String>),
}

impl Bounds {
    /// Of one value.
    pub fn exactly(value: Exact) -> Bounds {
        match value {
            Exact::Text(text) => Bounds::Text(Bound::Included(text.clone()), Bound::Included(text)),
            Exact::I64(value) => Bounds::I64(value..=value),
            Exact::U64(value) => Bounds::U64(value..=value),
            Exact::F64(value) => Bounds::F64(value..=value),
            Exact::Bool(value) => Bounds::Bool(value..=value),
            Exact::Ip(value) => Bounds::Ip(value..=value),
        }
    }
}

impl Range {
    pub(super) fn bounds(&self, def: &FieldDef) -> Result<Bounds> {
        Ok(match def.kind {
            FieldKind::Text | FieldKind::Keyword => self.text_bounds(),
            FieldKind::Byte
            | FieldKind::Short
            | FieldKind::Integer
            | FieldKind::Long
            | FieldKind::Date
            | FieldKind::DateNanos => non_empty(self.lower_i64()?, self.upper_i64()?, Bounds::I64),
            FieldKind::ScaledFloat => self.scaled_bounds(def)?,
            FieldKind::UnsignedLong => self.unsigned_bounds()?,
            FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => self.float_bounds(def)?,
            FieldKind::Boolean => self.bool_bounds(def)?,
            FieldKind::Ip => self.ip_bounds(def)?,
            FieldKind::Binary => return Err(Error::query_shard("Binary fields do not support searching")),
        })
    }

    fn text_bounds(&self) -> Bounds {
        let lower = match (&self.gt, &self.gte) {
            (Some(value), _) => Bound::Excluded(values::text(value)),
            (_, Some(value)) => Bound::Included(values::text(value)),
            _ => Bound::Unbounded,
        };
        let upper = match (&self.lt, &self.lte) {
            (Some(value), _) => Bound::Excluded(values::text(value)),
            (_, Some(value)) => Bound::Included(values::text(value)),
            _ => Bound::Unbounded,
        };
        Bounds::Text(lower, upper)
    }

    /// Smallest whole number allowed; past the last where none is.
    pub(super) fn lower_i64(&self) -> Result<i64> {
        let mut low = i64::MIN;
        if let Some(value) = &self.gte {
            low = low.max(whole(value, Rounding::Up)?);
        }
        if let Some(value) = &self.gt {
            low = low.max(match values::exact_i64(value) {
                Some(exact) => exact.saturating_add(1),
                None => whole(value, Rounding::Up)?,
            });
        }
        Ok(low)
    }

    pub(super) fn upper_i64(&self) -> Result<i64> {
        let mut high = i64::MAX;
        if let Some(value) = &self.lte {
            high = high.min(whole(value, Rounding::Down)?);
        }
        if let Some(value) = &self.lt {
            high = high.min(match values::exact_i64(value) {
                Some(exact) => exact.saturating_sub(1),
                None => whole(value, Rounding::Down)?,
            });
        }
        Ok(high)
    }

    fn scaled_bounds(&self, def: &FieldDef) -> Result<Bounds> {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        if let Some(value) = &self.gte {
            low = low.max((values::double(def, value)? * def.scaling_factor).ceil() as i64);
        }
        if let Some(value) = &self.gt {
            low = low.max((values::double(def, value)? * def.scaling_factor).floor() as i64 + 1);
        }
        if let Some(value) = &self.lte {
            high = high.min((values::double(def, value)? * def.scaling_factor).floor() as i64);
        }
        if let Some(value) = &self.lt {
            high = high.min((values::double(def, value)? * def.scaling_factor).ceil() as i64 - 1);
        }
        Ok(non_empty(low, high, Bounds::I64))
    }

    fn unsigned_bounds(&self) -> Result<Bounds> {
        let (mut low, mut high) = (0i128, i128::from(u64::MAX));
        let wide = |value: &Value, rounding: Rounding| -> Result<(i128, bool)> {
            if let Value::Number(n) = value
                && let Some(exact) = n.as_u64()
            {
                return Ok((i128::from(exact), true));
            }
            if let Value::String(text) = value
                && let Ok(exact) = text.parse::<u64>()
            {
                return Ok((i128::from(exact), true));
            }
            Ok((i128::from(whole(value, rounding)?), values::exact_i64(value).is_some()))
        };
        if let Some(value) = &self.gte {
            low = low.max(wide(value, Rounding::Up)?.0);
        }
        if let Some(value) = &self.gt {
            let (bound, exact) = wide(value, Rounding::Up)?;
            low = low.max(bound + i128::from(exact));
        }
        if let Some(value) = &self.lte {
            high = high.min(wide(value, Rounding::Down)?.0);
        }
        if let Some(value) = &self.lt {
            let (bound, exact) = wide(value, Rounding::Down)?;
            high = high.min(bound - i128::from(exact));
        }
        if low > high {
            return Ok(Bounds::Nothing);
        }
        Ok(Bounds::U64(low as u64..=high as u64))
    }

    fn float_bounds(&self, def: &FieldDef) -> Result<Bounds> {
        let value = |value: &Value| -> Result<f64> { Ok(values::rounded(def.kind, values::double(def, value)?)) };
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        if let Some(bound) = &self.gte {
            low = low.max(value(bound)?);
        }
        if let Some(bound) = &self.gt {
            low = low.max(value(bound)?.next_up());
        }
        if let Some(bound) = &self.lte {
            high = high.min(value(bound)?);
        }
        if let Some(bound) = &self.lt {
            high = high.min(value(bound)?.next_down());
        }
        Ok(non_empty(low, high, Bounds::F64))
    }

    fn bool_bounds(&self, def: &FieldDef) -> Result<Bounds> {
        let mut allowed = [true, true];
        for (at, flag) in [false, true].into_iter().enumerate() {
            for (bound, holds) in [
                (&self.gte, (|a, b| a >= b) as fn(bool, bool) -> bool),
                (&self.gt, |a, b| a & !b),
                (&self.lte, |a, b| a <= b),
                (&self.lt, |a, b| !a & b),
            ] {
                if let Some(bound) = bound {
                    allowed[at] &= holds(flag, values::boolean(def, bound)?);
                }
            }
        }
        Ok(match allowed {
            [true, true] => Bounds::Bool(false..=true),
            [true, false] => Bounds::Bool(false..=false),
            [false, true] => Bounds::Bool(true..=true),
            [false, false] => Bounds::Nothing,
        })
    }

    fn ip_bounds(&self, def: &FieldDef) -> Result<Bounds> {
        let (mut low, mut high) = (0u128, u128::MAX);
        if let Some(value) = &self.gte {
            low = low.max(u128::from(values::ip(def, value)?));
        }
        if let Some(value) = &self.gt {
            let Some(next) = u128::from(values::ip(def, value)?).checked_add(1) else { return Ok(Bounds::Nothing) };
            low = low.max(next);
        }
        if let Some(value) = &self.lte {
            high = high.min(u128::from(values::ip(def, value)?));
        }
        if let Some(value) = &self.lt {
            let Some(previous) = u128::from(values::ip(def, value)?).checked_sub(1) else { return Ok(Bounds::Nothing) };
            high = high.min(previous);
        }
        if low > high {
            return Ok(Bounds::Nothing);
        }
        Ok(Bounds::Ip(Ipv6Addr::from(low)..=Ipv6Addr::from(high)))
    }
}

#[derive(Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

fn whole(value: &Value, rounding: Rounding) -> Result<i64> {
    if let Some(exact) = values::exact_i64(value) {
        return Ok(exact);
    }
    let double = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let double = double.ok_or_else(|| Error::illegal_argument(format!("For input string: {value}")))?;
    // The cast saturates.
    Ok(match rounding {
        Rounding::Up => double.ceil() as i64,
        Rounding::Down => double.floor() as i64,
    })
}

fn non_empty<T: PartialOrd>(low: T, high: T, make: fn(RangeInclusive<T>) -> Bounds) -> Bounds {
    if low > high { Bounds::Nothing } else { make(low..=high) }
}
