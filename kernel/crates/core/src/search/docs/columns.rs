//! Columns of a segment, opened once and kept.

use std::net::Ipv6Addr;
use std::sync::Arc;

use tantivy::columnar::{Column, StrColumn};

use super::cached;
use crate::Result;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::Segment;

/// A numeric column in the form its kind is stored in.
#[derive(Clone)]
pub enum ColumnValues {
    I64(Column<i64>),
    U64(Column<u64>),
    F64(Column<f64>),
    Bool(Column<bool>),
}

/// The column of a number, date or boolean; None where the segment has none.
pub fn numeric_column(segment: &Segment, def: &FieldDef) -> Result<Option<Arc<ColumnValues>>> {
    if !def.column {
        return Ok(None);
    }
    let found = cached(segment, &format!("numeric/{}", def.path), || {
        let columns = segment.reader.fast_fields();
        let name = def.stored_name();
        let path = name.as_ref();
        Ok(match def.kind {
            FieldKind::Byte
            | FieldKind::Short
            | FieldKind::Integer
            | FieldKind::Long
            | FieldKind::ScaledFloat
            | FieldKind::Date
            | FieldKind::DateNanos => columns.column_opt::<i64>(path)?.map(ColumnValues::I64),
            FieldKind::UnsignedLong => columns.column_opt::<u64>(path)?.map(ColumnValues::U64),
            FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => {
                columns.column_opt::<f64>(path)?.map(ColumnValues::F64)
            }
            FieldKind::Boolean => columns.column_opt::<bool>(path)?.map(ColumnValues::Bool),
            FieldKind::Text | FieldKind::Keyword | FieldKind::Ip | FieldKind::Binary => None,
        }
        .map(Arc::new))
    })?;
    Ok((*found).clone())
}

/// The column of strings by ordinal; `name` is the column's, not the field's.
pub fn str_column(segment: &Segment, name: &str) -> Result<Option<Arc<StrColumn>>> {
    let found = cached(segment, &format!("str/{name}"), || Ok(segment.reader.fast_fields().str(name)?.map(Arc::new)))?;
    Ok((*found).clone())
}

/// The column of ip addresses.
pub fn ip_column(segment: &Segment, name: &str) -> Result<Option<Arc<Column<Ipv6Addr>>>> {
    let found = cached(segment, &format!("ip/{name}"), || {
        Ok(segment.reader.fast_fields().column_opt::<Ipv6Addr>(name)?.map(Arc::new))
    })?;
    Ok((*found).clone())
}

impl ColumnValues {
    pub fn has_value(&self, doc: u32) -> bool {
        match self {
            ColumnValues::I64(column) => column.index.has_value(doc),
            ColumnValues::U64(column) => column.index.has_value(doc),
            ColumnValues::F64(column) => column.index.has_value(doc),
            ColumnValues::Bool(column) => column.index.has_value(doc),
        }
    }

    /// Values of a document as floating point.
    pub fn doubles(&self, doc: u32, out: &mut Vec<f64>) {
        out.clear();
        match self {
            ColumnValues::I64(column) => out.extend(column.values_for_doc(doc).map(|v| v as f64)),
            ColumnValues::U64(column) => out.extend(column.values_for_doc(doc).map(|v| v as f64)),
            ColumnValues::F64(column) => out.extend(column.values_for_doc(doc)),
            ColumnValues::Bool(column) => out.extend(column.values_for_doc(doc).map(|v| f64::from(u8::from(v)))),
        }
    }
}
