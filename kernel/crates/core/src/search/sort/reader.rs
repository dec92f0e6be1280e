//! The sort keys of a segment's documents.

use std::sync::Arc;

use tantivy::DocId;
use tantivy::columnar::{Cardinality, Column, StrColumn, TermOrdHit};

use super::nested::Children;
use super::{BoundKey, BoundSort, KeyKind, Missing, SortValue, order};
use crate::Result;
use crate::mapping::FieldKind;
use crate::search::docs::{ColumnValues, IdColumn, id_column, ip_column, numeric_column, str_column};
use crate::search::plan::{Order, SortMode};
use crate::search::query::SegmentView;

/// Numbers of a document for all keys; an address takes two.
pub struct SegmentKeys<'s> {
    keys: Vec<KeyReader<'s>>,
    segment: u32,
}

struct KeyReader<'s> {
    key: &'s BoundKey,
    source: Source,
    children: Option<Children>,
    /// Image of what is missing, final.
    missing: [u64; 2],
    values: Vec<f64>,
    wholes: Vec<i128>,
}

enum Source {
    Score,
    Doc,
    Absent,
    Numbers(Arc<ColumnValues>),
    Ordinals(Arc<StrColumn>),
    Ids(Arc<IdColumn>),
    Addresses(Arc<Column<std::net::Ipv6Addr>>),
}

impl<'s> SegmentKeys<'s> {
    pub fn open(sort: &'s BoundSort, segment: &SegmentView<'_>) -> Result<Self> {
        let keys: Result<Vec<_>> = sort.keys.iter().map(|key| KeyReader::open(key, segment)).collect();
        Ok(SegmentKeys { keys: keys?, segment: segment.ord as u32 })
    }

    /// How many numbers `read` writes.
    pub fn width(&self) -> usize {
        self.keys.iter().map(KeyReader::width).sum()
    }

    /// The numbers of a document; smaller is better.
    #[inline]
    pub fn read(&mut self, doc: DocId, score: f32, out: &mut [u64]) {
        let mut at = 0;
        for key in &mut self.keys {
            at += key.read(self.segment, doc, score, &mut out[at..]);
        }
    }

    /// The values behind the numbers.
    pub fn values(&self, numbers: &[u64]) -> Result<Vec<SortValue>> {
        let mut at = 0;
        let mut values = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            values.push(key.value(&numbers[at..])?);
            at += key.width();
        }
        Ok(values)
    }

    /// The numbers that stand for given values in this segment.
    pub fn numbers(&self, values: &[SortValue]) -> Result<Vec<u64>> {
        let mut numbers = Vec::with_capacity(self.width());
        for (key, value) in self.keys.iter().zip(values) {
            key.number(value, &mut numbers)?;
        }
        Ok(numbers)
    }
}

impl<'s> KeyReader<'s> {
    fn open(key: &'s BoundKey, segment: &SegmentView<'_>) -> Result<Self> {
        let source = match (&key.kind, &key.def) {
            (KeyKind::Score, _) => Source::Score,
            (KeyKind::Doc, _) => Source::Doc,
            (_, None) => Source::Absent,
            (_, Some(def)) if def.path == "_id" => Source::Ids(id_column(segment.segment)?),
            (_, Some(def)) => match def.kind {
                FieldKind::Keyword => {
                    str_column(segment.segment, &def.stored_name())?.map_or(Source::Absent, Source::Ordinals)
                }
                FieldKind::Ip => {
                    ip_column(segment.segment, &def.stored_name())?.map_or(Source::Absent, Source::Addresses)
                }
                _ => numeric_column(segment.segment, def)?.map_or(Source::Absent, Source::Numbers),
            },
        };
        let children = key.nested.as_ref().map(|nested| nested.open(segment)).transpose()?;
        let mut reader =
            KeyReader { key, source, children, missing: [u64::MAX; 2], values: Vec::new(), wholes: Vec::new() };
        match &key.missing {
            Missing::Last => {}
            Missing::First => reader.missing = [0; 2],
            Missing::Value(value) => {
                let mut numbers = Vec::new();
                reader.number(value, &mut numbers)?;
                numbers.resize(2, 0);
                reader.missing = [numbers[0], numbers[1]];
            }
        }
        Ok(reader)
    }

    fn width(&self) -> usize {
        if self.key.kind == KeyKind::Ip { 2 } else { 1 }
    }

    fn directed(&self, number: u64) -> u64 {
        match self.key.order {
            Order::Asc => number,
            Order::Desc => !number,
        }
    }

    #[inline]
    fn read(&mut self, segment: u32, doc: DocId, score: f32, out: &mut [u64]) -> usize {
        let number = match &self.source {
            Source::Score => Some(order::from_f32(score)),
            Source::Doc => Some(u64::from(segment) << 32 | u64::from(doc)),
            Source::Absent => None,
            Source::Ordinals(column) => {
                let column = column.ords();
                let ord = match &self.children {
                    None => pick(column, doc, self.key.mode),
                    Some(children) => pick_child(column, children, doc, self.key.mode),
                };
                ord.map(string_number)
            }
            Source::Ids(column) => column.ord(doc).map(string_number),
            Source::Addresses(column) => {
                let address = match &self.children {
                    None => pick(column, doc, self.key.mode),
                    Some(children) => pick_child(column, children, doc, self.key.mode),
                };
                let Some(address) = address else {
                    out[..2].copy_from_slice(&self.missing);
                    return 2;
                };
                let bits = u128::from(address);
                out[0] = self.directed((bits >> 64) as u64);
                out[1] = self.directed(bits as u64);
                return 2;
            }
            Source::Numbers(_) => self.read_number(doc),
        };
        out[0] = number.map_or(self.missing[0], |number| self.directed(number));
        self.width()
    }

    #[inline]
    fn read_number(&mut self, doc: DocId) -> Option<u64> {
        let Source::Numbers(column) = &self.source else { return None };
        // The common case: one value at most, in the column's own form.
        if self.children.is_none() && self.key.scale == 1 {
            match (column.as_ref(), self.key.kind) {
                (ColumnValues::I64(column), KeyKind::I64 | KeyKind::I32)
                    if column.get_cardinality() != Cardinality::Multivalued =>
                {
                    return column.first(doc).map(order::from_i64);
                }
                (ColumnValues::F64(column), KeyKind::F64 | KeyKind::F32)
                    if column.get_cardinality() != Cardinality::Multivalued =>
                {
                    return column.first(doc).map(order::from_f64);
                }
                _ => {}
            }
        }
        let column = Arc::clone(column);
        if matches!(self.key.kind, KeyKind::F64 | KeyKind::F32) {
            self.read_double(&column, doc)
        } else {
            self.read_whole(&column, doc)
        }
    }

    fn read_double(&mut self, column: &ColumnValues, doc: DocId) -> Option<u64> {
        let factor = self.key.def.as_ref().map_or(1.0, |def| def.scaling_factor);
        let mut one = Vec::new();
        self.values.clear();
        match &self.children {
            None => column.doubles(doc, &mut self.values),
            Some(children) => children.of(doc, |child| {
                column.doubles(child, &mut one);
                self.values.extend_from_slice(&one);
            }),
        }
        let values = &mut self.values;
        if values.is_empty() {
            return None;
        }
        values.iter_mut().for_each(|value| *value /= factor);
        let count = values.len() as f64;
        let picked = match self.key.mode {
            SortMode::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            SortMode::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            SortMode::Sum => values.iter().sum(),
            SortMode::Avg => values.iter().sum::<f64>() / count,
            SortMode::Median => {
                values.sort_by(f64::total_cmp);
                let middle = values.len() / 2;
                if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
            }
        };
        Some(order::from_f64(picked))
    }

    fn read_whole(&mut self, column: &ColumnValues, doc: DocId) -> Option<u64> {
        let wholes = &mut self.wholes;
        wholes.clear();
        match &self.children {
            None => read_wholes(column, doc, wholes),
            Some(children) => children.of(doc, |child| read_wholes(column, child, wholes)),
        }
        if wholes.is_empty() {
            return None;
        }
        let picked = pick_whole(wholes, self.key.mode, self.key.kind == KeyKind::U64)?;
        let picked = match self.key.scale {
            1 => picked,
            scale if scale > 0 => picked.div_euclid(i128::from(scale)),
            scale => picked * i128::from(-scale),
        };
        Some(match self.key.kind {
            KeyKind::U64 => picked.clamp(0, i128::from(u64::MAX)) as u64,
            _ => order::from_i64(picked.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64),
        })
    }

    fn value(&self, numbers: &[u64]) -> Result<SortValue> {
        let number = self.directed(numbers[0]);
        let missing = numbers[0] == self.missing[0] && !matches!(self.key.missing, Missing::Value(_));
        Ok(match self.key.kind {
            KeyKind::Score => SortValue::Score(order::to_f32(number)),
            KeyKind::Doc => SortValue::Doc(number),
            // The image of missing is beyond what the type can hold.
            KeyKind::I32 | KeyKind::Bool if missing => {
                SortValue::I64(i64::from(if number == u64::MAX { i32::MAX } else { i32::MIN }))
            }
            KeyKind::I64 | KeyKind::I32 | KeyKind::Bool => SortValue::I64(order::to_i64(number)),
            KeyKind::U64 => SortValue::U64(number),
            // The image of missing is beyond infinity.
            KeyKind::F64 | KeyKind::F32 if missing => {
                SortValue::F64(if number == u64::MAX { f64::INFINITY } else { f64::NEG_INFINITY })
            }
            KeyKind::F64 | KeyKind::F32 => SortValue::F64(order::to_f64(number)),
            KeyKind::Text => self.text(numbers[0], number)?,
            KeyKind::Ip if missing && numbers[1] == self.missing[1] => SortValue::Null,
            KeyKind::Ip => SortValue::Ip(u128::from(number) << 64 | u128::from(self.directed(numbers[1]))),
        })
    }

    fn text(&self, last: u64, number: u64) -> Result<SortValue> {
        if last == self.missing[0] {
            return Ok(match &self.key.missing {
                Missing::Value(value) => value.clone(),
                _ => SortValue::Null,
            });
        }
        let ord = (number - 2) / 2;
        Ok(match &self.source {
            Source::Ordinals(column) => {
                let mut text = String::new();
                column.ord_to_str(ord, &mut text)?;
                SortValue::Text(text)
            }
            Source::Ids(column) => SortValue::Text(column.id(ord)?),
            _ => SortValue::Null,
        })
    }

    fn number(&self, value: &SortValue, out: &mut Vec<u64>) -> Result<()> {
        let number = match value {
            SortValue::Null => {
                let number = if matches!(self.key.missing, Missing::First) { 0 } else { u64::MAX };
                out.extend(std::iter::repeat_n(number, self.width()));
                return Ok(());
            }
            SortValue::Ip(bits) => {
                out.push(self.directed((bits >> 64) as u64));
                out.push(self.directed(*bits as u64));
                return Ok(());
            }
            SortValue::I64(value) => match self.key.kind {
                KeyKind::I32 | KeyKind::Bool if *value >= i64::from(i32::MAX) => u64::MAX,
                KeyKind::I32 | KeyKind::Bool if *value <= i64::from(i32::MIN) => 0,
                _ => order::from_i64(*value),
            },
            SortValue::U64(value) | SortValue::Doc(value) => *value,
            SortValue::F64(value) => match self.key.kind {
                KeyKind::F64 | KeyKind::F32 if value.is_infinite() => {
                    if *value > 0.0 {
                        u64::MAX
                    } else {
                        0
                    }
                }
                _ => order::from_f64(*value),
            },
            SortValue::Score(value) => order::from_f32(*value),
            SortValue::Text(text) => match &self.source {
                Source::Ordinals(column) => match column.dictionary().term_ord_or_next(text.as_bytes())? {
                    TermOrdHit::Exact(ord) => string_number(ord),
                    TermOrdHit::Next(ord) => string_number(ord.min(u64::from(u32::MAX))) - 1,
                },
                Source::Ids(column) => match column.find(text)? {
                    (ord, true) => string_number(ord),
                    (ord, false) => string_number(ord) - 1,
                },
                _ => 1,
            },
        };
        out.push(self.directed(number));
        Ok(())
    }
}

/// Ordinals leave room for strings between them, and for what is missing.
fn string_number(ord: u64) -> u64 {
    ord * 2 + 2
}

fn round_half_up(value: f64) -> i128 {
    (value + 0.5).floor() as i128
}

/// One of several whole numbers. Sums overflow as Java's do: 64 bits, and the average is that of the overflown sum.
fn pick_whole(wholes: &mut [i128], mode: SortMode, unsigned: bool) -> Option<i128> {
    let total = |values: &[i128]| {
        let sum: i128 = values.iter().sum();
        if unsigned { i128::from(sum as u64) } else { i128::from(sum as i64) }
    };
    let mean = |sum: i128, count: i128| {
        if unsigned { (2 * sum + count) / (2 * count) } else { round_half_up(sum as f64 / count as f64) }
    };
    Some(match mode {
        SortMode::Min => wholes.iter().copied().min()?,
        SortMode::Max => wholes.iter().copied().max()?,
        SortMode::Sum => total(wholes),
        SortMode::Avg => mean(total(wholes), wholes.len() as i128),
        SortMode::Median => {
            wholes.sort_unstable();
            let middle = wholes.len() / 2;
            match wholes.len() % 2 {
                1 => wholes[middle],
                _ if unsigned => mean(total(&wholes[middle - 1..=middle]), 2),
                _ => mean(wholes[middle - 1] + wholes[middle], 2),
            }
        }
    })
}

fn read_wholes(column: &ColumnValues, doc: DocId, out: &mut Vec<i128>) {
    match column {
        ColumnValues::I64(column) => out.extend(column.values_for_doc(doc).map(i128::from)),
        ColumnValues::U64(column) => out.extend(column.values_for_doc(doc).map(i128::from)),
        ColumnValues::F64(column) => out.extend(column.values_for_doc(doc).map(|value| value as i128)),
        ColumnValues::Bool(column) => out.extend(column.values_for_doc(doc).map(i128::from)),
    }
}

fn pick<T: Ord + PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(
    column: &Column<T>,
    doc: DocId,
    mode: SortMode,
) -> Option<T> {
    if column.get_cardinality() != Cardinality::Multivalued {
        return column.first(doc);
    }
    match mode {
        SortMode::Max => column.values_for_doc(doc).max(),
        _ => column.values_for_doc(doc).min(),
    }
}

fn pick_child<T: Ord + PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(
    column: &Column<T>,
    children: &Children,
    doc: DocId,
    mode: SortMode,
) -> Option<T> {
    let mut best: Option<T> = None;
    children.of(doc, |child| {
        if let Some(value) = pick(column, child, mode) {
            best = Some(match (best, mode) {
                (None, _) => value,
                (Some(best), SortMode::Max) => best.max(value),
                (Some(best), _) => best.min(value),
            });
        }
    });
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_overflow_as_in_java() {
        let pick = |values: &[i128], mode, unsigned| pick_whole(&mut values.to_vec(), mode, unsigned).unwrap();
        let max = i128::from(i64::MAX);
        assert_eq!(pick(&[max, 1], SortMode::Sum, false), i128::from(i64::MIN));
        assert_eq!(pick(&[max, 1], SortMode::Avg, false), i128::from(i64::MIN / 2));
        assert_eq!(pick(&[max, 1], SortMode::Median, false), 1 << 62);
        let big = 13_835_058_055_282_163_713;
        assert_eq!(pick(&[big, big + 1], SortMode::Sum, true), 9_223_372_036_854_775_811);
        assert_eq!(pick(&[big, big + 1], SortMode::Avg, true), 4_611_686_018_427_387_906);
        assert_eq!(pick(&[big - 1, 1], SortMode::Avg, true), 6_917_529_027_641_081_857);
        assert_eq!(pick(&[4, 3, big + 7, big + 8], SortMode::Median, true), 6_917_529_027_641_081_862);
    }
}
