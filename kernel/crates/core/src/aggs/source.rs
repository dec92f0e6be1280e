//! Reading of columns in blocks: numbers of every kind, ordinals of strings, addresses.

use std::net::Ipv6Addr;
use std::sync::Arc;

use serde_json::Value;
use tantivy::DocId;
use tantivy::columnar::{Column, ColumnIndex, ColumnType, StrColumn};

use super::collect::SegmentCtx;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::Segment;
use crate::{Error, Result};

/// OpenSearch's name of a mapped type.
pub fn type_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Keyword => "keyword",
        FieldKind::Byte => "byte",
        FieldKind::Short => "short",
        FieldKind::Integer => "integer",
        FieldKind::Long => "long",
        FieldKind::UnsignedLong => "unsigned_long",
        FieldKind::HalfFloat => "half_float",
        FieldKind::Float => "float",
        FieldKind::Double => "double",
        FieldKind::ScaledFloat => "scaled_float",
        FieldKind::Boolean => "boolean",
        FieldKind::Date => "date",
        FieldKind::DateNanos => "date_nanos",
        FieldKind::Ip => "ip",
        FieldKind::Binary => "binary",
    }
}

/// What the 64 bits of a numeric column mean. All are kept in tantivy's monotonic form: unsigned order is the values' order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumKind {
    I64,
    U64,
    F64,
    Bool,
    /// An integer to be multiplied by the inverse of the scaling factor.
    Scaled(f64),
    Millis,
    /// Nanoseconds, seen as milliseconds by aggregations.
    Nanos,
}

const SIGN: u64 = 1 << 63;

#[inline(always)]
pub fn raw_to_i64(raw: u64) -> i64 {
    (raw ^ SIGN) as i64
}

#[inline(always)]
pub fn i64_to_raw(v: i64) -> u64 {
    (v as u64) ^ SIGN
}

#[inline(always)]
pub fn raw_to_f64(raw: u64) -> f64 {
    f64::from_bits(if raw & SIGN != 0 { raw ^ SIGN } else { !raw })
}

#[inline(always)]
pub fn f64_to_raw(v: f64) -> u64 {
    let bits = v.to_bits();
    if bits & SIGN == 0 { bits ^ SIGN } else { !bits }
}

impl NumKind {
    pub fn of(kind: FieldKind, scaling_factor: f64) -> Option<NumKind> {
        Some(match kind {
            FieldKind::Byte | FieldKind::Short | FieldKind::Integer | FieldKind::Long => NumKind::I64,
            FieldKind::UnsignedLong => NumKind::U64,
            FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => NumKind::F64,
            FieldKind::ScaledFloat => NumKind::Scaled(scaling_factor),
            FieldKind::Boolean => NumKind::Bool,
            FieldKind::Date => NumKind::Millis,
            FieldKind::DateNanos => NumKind::Nanos,
            FieldKind::Text | FieldKind::Keyword | FieldKind::Ip | FieldKind::Binary => return None,
        })
    }

    #[inline(always)]
    pub fn to_f64(self, raw: u64) -> f64 {
        match self {
            NumKind::I64 | NumKind::Millis => raw_to_i64(raw) as f64,
            NumKind::U64 | NumKind::Bool => raw as f64,
            NumKind::F64 => raw_to_f64(raw),
            NumKind::Scaled(factor) => raw_to_i64(raw) as f64 * (1.0 / factor),
            NumKind::Nanos => raw_to_i64(raw).div_euclid(1_000_000) as f64,
        }
    }

    /// The integer value; only for kinds that are [integral](Self::is_integral).
    #[inline(always)]
    pub fn to_i64(self, raw: u64) -> i64 {
        match self {
            NumKind::I64 | NumKind::Millis => raw_to_i64(raw),
            NumKind::U64 | NumKind::Bool => raw as i64,
            NumKind::Nanos => raw_to_i64(raw).div_euclid(1_000_000),
            NumKind::F64 | NumKind::Scaled(_) => self.to_f64(raw) as i64,
        }
    }

    pub fn is_integral(self) -> bool {
        !matches!(self, NumKind::F64 | NumKind::Scaled(_))
    }

    /// The column form of a value outwardly written as a number.
    pub fn raw_of(self, value: f64) -> u64 {
        match self {
            NumKind::I64 | NumKind::Millis => i64_to_raw(value as i64),
            NumKind::U64 | NumKind::Bool => value as u64,
            NumKind::F64 => f64_to_raw(value),
            NumKind::Scaled(factor) => i64_to_raw((value * factor).round() as i64),
            NumKind::Nanos => i64_to_raw((value as i64).saturating_mul(1_000_000)),
        }
    }

    /// The column form of a JSON value (a `missing`, an included term); numbers as text are read too, dates by `format`.
    pub fn parse(self, value: &Value, format: &super::format::Format) -> Result<u64> {
        let bad = || {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            Error::new("number_format_exception", 400, format!("For input string: \"{text}\""))
        };
        match (self, value) {
            (_, Value::Bool(b)) => Ok(self.raw_of(f64::from(u8::from(*b)))),
            (NumKind::U64, Value::Number(n)) if n.is_u64() => Ok(n.as_u64().unwrap_or(0)),
            (NumKind::I64 | NumKind::Millis, Value::Number(n)) if n.is_i64() => Ok(i64_to_raw(n.as_i64().unwrap_or(0))),
            (_, Value::Number(n)) => Ok(self.raw_of(n.as_f64().ok_or_else(bad)?)),
            (NumKind::Bool, Value::String(s)) => match s.as_str() {
                "true" => Ok(1),
                "false" => Ok(0),
                _ => Err(bad()),
            },
            (NumKind::Millis | NumKind::Nanos, Value::String(s)) => {
                Ok(self.raw_of(super::format::parse_date(s, format)? as f64))
            }
            (NumKind::U64, Value::String(s)) => s.parse().map_err(|_| bad()),
            (NumKind::I64, Value::String(s)) if s.parse::<i64>().is_ok() => {
                Ok(i64_to_raw(s.parse().map_err(|_| bad())?))
            }
            (_, Value::String(s)) => Ok(self.raw_of(s.parse().map_err(|_| bad())?)),
            _ => Err(bad()),
        }
    }
}

/// An opened column of a segment.
#[derive(Clone)]
enum Opened {
    None,
    Num(Column<u64>),
    Str(StrColumn),
    Ip(Column<Ipv6Addr>),
}

/// Opens a column once per segment and keeps it with the segment's caches.
fn open(segment: &Segment, field: &FieldDef) -> Result<Opened> {
    let key = format!("aggs:column:{}", field.path);
    if let Some(found) = segment.caches.other.read().get(&key)
        && let Some(opened) = found.downcast_ref::<Opened>()
    {
        return Ok(opened.clone());
    }
    let fast = segment.reader.fast_fields();
    let name = field.stored_name();
    let opened = match field.kind {
        FieldKind::Keyword => fast.str(&name)?.map_or(Opened::None, Opened::Str),
        FieldKind::Ip => fast.column_opt::<Ipv6Addr>(&name)?.map_or(Opened::None, Opened::Ip),
        FieldKind::Text | FieldKind::Binary => Opened::None,
        _ => {
            const TYPES: [ColumnType; 4] = [ColumnType::I64, ColumnType::U64, ColumnType::F64, ColumnType::Bool];
            fast.u64_lenient_for_type(Some(&TYPES), &name)?.map_or(Opened::None, |(column, _)| Opened::Num(column))
        }
    };
    segment.caches.other.write().insert(key, Arc::new(opened.clone()));
    Ok(opened)
}

/// The numeric column of a field in this segment, if there is one.
pub fn open_numbers(segment: &SegmentCtx<'_>, field: &FieldDef) -> Result<Option<Column<u64>>> {
    Ok(match open(segment.segment, field)? {
        Opened::Num(column) => Some(column),
        _ => None,
    })
}

pub fn open_strings(segment: &SegmentCtx<'_>, field: &FieldDef) -> Result<Option<StrColumn>> {
    Ok(match open(segment.segment, field)? {
        Opened::Str(column) => Some(column),
        _ => None,
    })
}

pub fn open_ips(segment: &SegmentCtx<'_>, field: &FieldDef) -> Result<Option<Column<Ipv6Addr>>> {
    Ok(match open(segment.segment, field)? {
        Opened::Ip(column) => Some(column),
        _ => None,
    })
}

/// The index part of any column of the field: which documents have values.
pub fn open_index(segment: &SegmentCtx<'_>, field: &FieldDef) -> Result<Option<ColumnIndex>> {
    Ok(match open(segment.segment, field)? {
        Opened::None => None,
        Opened::Num(column) => Some(column.index),
        Opened::Str(column) => Some(column.ords().index.clone()),
        Opened::Ip(column) => Some(column.index),
    })
}

/// Values of a block: `raw[i]` belongs to document `pos[i]` of the block, or to document `i` if there is no `pos`.
#[derive(Clone, Copy)]
pub struct Loaded<'a> {
    pub pos: Option<&'a [u32]>,
    pub raw: &'a [u64],
}

impl Loaded<'_> {
    #[inline(always)]
    pub fn at(&self, i: usize) -> usize {
        self.pos.map_or(i, |pos| pos[i] as usize)
    }
}

/// Buffers that turn blocks of documents into blocks of values.
#[derive(Default)]
pub struct Loader {
    pos: Vec<u32>,
    docs: Vec<DocId>,
    rows: Vec<u32>,
    raw: Vec<u64>,
}

impl Loader {
    /// All values of the documents; those of one document ascending. `missing` stands in for documents without value.
    pub fn load<'b>(&'b mut self, column: Option<&Column<u64>>, docs: &[DocId], missing: Option<u64>) -> Loaded<'b> {
        let Some(column) = column else { return self.none(docs.len(), missing) };
        match &column.index {
            ColumnIndex::Empty { .. } => self.none(docs.len(), missing),
            ColumnIndex::Full => {
                self.raw.resize(docs.len(), 0);
                fetch(column, docs, &mut self.raw);
                Loaded { pos: None, raw: &self.raw }
            }
            ColumnIndex::Optional(_) => {
                self.optional(column, docs, missing);
                Loaded { pos: Some(&self.pos), raw: &self.raw }
            }
            ColumnIndex::Multivalued(_) => {
                self.multi(column, docs, missing);
                Loaded { pos: Some(&self.pos), raw: &self.raw }
            }
        }
    }

    fn none(&mut self, len: usize, missing: Option<u64>) -> Loaded<'_> {
        self.raw.clear();
        self.pos.clear();
        match missing {
            Some(value) => {
                self.raw.resize(len, value);
                Loaded { pos: None, raw: &self.raw }
            }
            None => Loaded { pos: Some(&self.pos), raw: &self.raw },
        }
    }

    fn optional(&mut self, column: &Column<u64>, docs: &[DocId], missing: Option<u64>) {
        self.docs.clear();
        self.rows.clear();
        self.pos.clear();
        if docs.is_sorted_by(|a, b| a < b) {
            column.row_ids_for_docs(docs, &mut self.docs, &mut self.rows);
            let mut found = 0;
            for (at, doc) in docs.iter().enumerate() {
                if self.docs.get(found) == Some(doc) {
                    self.pos.push(at as u32);
                    found += 1;
                }
            }
        } else {
            // The batch look-up wants distinct documents.
            for (at, doc) in docs.iter().enumerate() {
                for row in column.index.value_row_ids(*doc) {
                    self.pos.push(at as u32);
                    self.rows.push(row);
                }
            }
        }
        self.raw.resize(self.rows.len(), 0);
        fetch(column, &self.rows, &mut self.raw);
        if let Some(value) = missing
            && self.pos.len() < docs.len()
        {
            self.fill(docs.len(), value);
        }
    }

    /// Puts `value` where a document of the block has none.
    fn fill(&mut self, len: usize, value: u64) {
        let mut raw = Vec::with_capacity(len);
        let mut found = 0;
        for at in 0..len as u32 {
            if self.pos.get(found) == Some(&at) {
                raw.push(self.raw[found]);
                found += 1;
            } else {
                raw.push(value);
            }
        }
        self.raw = raw;
        self.pos.clear();
        self.pos.extend(0..len as u32);
    }

    fn multi(&mut self, column: &Column<u64>, docs: &[DocId], missing: Option<u64>) {
        self.pos.clear();
        self.raw.clear();
        for (at, doc) in docs.iter().enumerate() {
            let start = self.raw.len();
            for row in column.index.value_row_ids(*doc) {
                self.raw.push(column.values.get_val(row));
                self.pos.push(at as u32);
            }
            match self.raw.len() - start {
                0 => {
                    if let Some(value) = missing {
                        self.raw.push(value);
                        self.pos.push(at as u32);
                    }
                }
                1 => {}
                _ => self.raw[start..].sort_unstable(),
            }
        }
    }
}

/// Values of ascending rows, in one sweep where they are contiguous.
fn fetch(column: &Column<u64>, rows: &[u32], out: &mut [u64]) {
    match (rows.first(), rows.last()) {
        (Some(first), Some(last))
            if last >= first && (last - first) as usize + 1 == rows.len() && rows.is_sorted_by(|a, b| a < b) =>
        {
            column.values.get_range(u64::from(*first), out);
        }
        (Some(_), _) => column.values.get_vals(rows, out),
        _ => {}
    }
}

/// A numeric field of the shard with its column of the current segment.
pub struct Numbers {
    field: Option<Arc<FieldDef>>,
    pub kind: NumKind,
    pub missing: Option<u64>,
    pub column: Option<Column<u64>>,
    loader: Loader,
}

impl Numbers {
    /// Without a field there are no values but the missing one.
    pub fn new(field: Option<Arc<FieldDef>>, kind: NumKind, missing: Option<u64>) -> Numbers {
        Numbers { field, kind, missing, column: None, loader: Loader::default() }
    }

    pub fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.column = match &self.field {
            Some(field) => open_numbers(segment, field)?,
            None => None,
        };
        Ok(())
    }

    pub fn load(&mut self, docs: &[DocId]) -> Loaded<'_> {
        self.loader.load(self.column.as_ref(), docs, self.missing)
    }

    /// Smallest and largest value that [`load`](Self::load) may give in this segment.
    pub fn bounds(&self) -> Option<(u64, u64)> {
        let column = self.column.as_ref().filter(|c| c.values.num_vals() > 0);
        match (column, self.missing) {
            (Some(c), Some(m)) => Some((c.min_value().min(m), c.max_value().max(m))),
            (Some(c), None) => Some((c.min_value(), c.max_value())),
            (None, Some(m)) => Some((m, m)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::columnar::MonotonicallyMappableToU64;

    #[test]
    fn raw_forms_are_those_of_the_columns() {
        for v in [i64::MIN, -1, 0, 7, i64::MAX] {
            assert_eq!(v.to_u64(), i64_to_raw(v));
            assert_eq!(raw_to_i64(v.to_u64()), v);
        }
        for v in [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 2.25, f64::MAX] {
            assert_eq!(v.to_u64(), f64_to_raw(v));
            assert_eq!(raw_to_f64(v.to_u64()).to_bits(), v.to_bits());
        }
    }
}
