//! `random_score`: reproducible by seed and field, or by the document's number. The hash is OpenSearch's.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use crate::mapping::{FieldDef, FieldKind, java_double};
use crate::murmur::{finish, java_hash, murmur3};
use crate::reader::StoredDocument;
use crate::search::docs::{ColumnValues, ip_column, numeric_column, str_column};
use crate::search::query::{Context, SegmentView};
use crate::{Error, Result};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomScore {
    /// None: another order each time.
    #[serde(default)]
    pub seed: Option<i64>,
    #[serde(default)]
    pub field: Option<String>,
}

pub struct BoundRandom {
    seed: u32,
    source: Source,
}

/// What tells documents apart.
enum Source {
    Number,
    Id,
    SeqNo,
    Field(Arc<FieldDef>),
}

pub struct SegmentRandom {
    seed: u32,
    values: Values,
    text: Vec<u8>,
}

enum Values {
    /// The number of the document in its shard, counted from here.
    Number(u32),
    Id(Arc<tantivy::store::StoreReader>),
    SeqNo(Column<u64>),
    Numeric(Arc<ColumnValues>, Arc<FieldDef>),
    Text(Arc<StrColumn>),
    Ip(Arc<Column<std::net::Ipv6Addr>>),
    None,
}

impl RandomScore {
    pub fn bind(&self, context: &Context<'_>) -> Result<BoundRandom> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let salt = (java_hash(&context.shard.index) as u32) << 10 | context.shard.shard;
        let seed = self.seed.map_or_else(|| (now() ^ now() >> 32) as u32, |seed| seed as u32);
        let source = match (self.seed, self.field.as_deref()) {
            (None, _) => Source::Number,
            (Some(_), None | Some("_id")) => Source::Id,
            (Some(_), Some("_seq_no")) => Source::SeqNo,
            (Some(_), Some(name)) => Source::Field(mapped(context, name)?),
        };
        Ok(BoundRandom { seed: finish(seed ^ salt), source })
    }
}

fn mapped(context: &Context<'_>, name: &str) -> Result<Arc<FieldDef>> {
    let def = context.field(name).ok_or_else(|| {
        Error::query_shard(format!(
            "Field [{name}] is not mapped on [{}] and cannot be used as a source of random numbers.",
            context.shard.index
        ))
    })?;
    if def.column {
        return Ok(Arc::clone(def));
    }
    Err(Error::illegal_argument(if def.kind == FieldKind::Text {
        crate::search::sort::no_fielddata(name)
    } else {
        format!(
            "Can't load fielddata on [{name}] because fielddata is unsupported on fields of its type. Use doc values instead."
        )
    }))
}

impl BoundRandom {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentRandom> {
        let values = match &self.source {
            Source::Number => Values::Number(
                segment.shard.segments[..segment.ord].iter().map(|segment| segment.reader.max_doc()).sum(),
            ),
            Source::Id => Values::Id(crate::search::docs::store(segment)?),
            Source::SeqNo => Values::SeqNo(segment.segment.reader.fast_fields().u64("_seq_no")?),
            Source::Field(def) => match def.kind {
                FieldKind::Keyword => {
                    str_column(segment.segment, &def.stored_name())?.map_or(Values::None, Values::Text)
                }
                FieldKind::Ip => ip_column(segment.segment, &def.stored_name())?.map_or(Values::None, Values::Ip),
                _ => numeric_column(segment.segment, def)?
                    .map_or(Values::None, |column| Values::Numeric(column, Arc::clone(def))),
            },
        };
        Ok(SegmentRandom { seed: self.seed, values, text: Vec::new() })
    }
}

impl SegmentRandom {
    /// In [0, 1).
    pub fn score(&mut self, doc: DocId) -> f64 {
        let hash = if let Values::Number(base) = &self.values {
            finish((base + doc) ^ self.seed)
        } else if self.read(doc) {
            murmur3(&self.text, self.seed)
        } else {
            self.seed
        };
        f64::from((hash & 0x00ff_ffff) as f32 / (1 << 24) as f32)
    }

    /// The first value of the document in the bytes that OpenSearch hashes; false if it has none.
    fn read(&mut self, doc: DocId) -> bool {
        self.text.clear();
        let text = match &self.values {
            Values::Number(_) | Values::None => None,
            Values::Id(store) => StoredDocument::read(store, doc).ok().map(|stored| stored.id().to_owned()),
            Values::SeqNo(column) => column.first(doc).map(|value| value.to_string()),
            Values::Numeric(column, def) => first_number(column, def, doc),
            Values::Text(column) => {
                let ord = column.ords().first(doc);
                return ord.is_some_and(|ord| column.ord_to_bytes(ord, &mut self.text).unwrap_or(false));
            }
            Values::Ip(column) => {
                let address = column.first(doc);
                self.text.extend(address.iter().flat_map(std::net::Ipv6Addr::octets));
                return address.is_some();
            }
        };
        self.text.extend(text.iter().flat_map(|text| text.bytes()));
        text.is_some()
    }
}

fn first_number(column: &ColumnValues, def: &FieldDef, doc: DocId) -> Option<String> {
    match column {
        ColumnValues::I64(column) if def.kind == FieldKind::ScaledFloat => {
            column.first(doc).map(|value| java_double(value as f64 / def.scaling_factor))
        }
        ColumnValues::I64(column) => column.first(doc).map(|value| value.to_string()),
        ColumnValues::U64(column) => column.first(doc).map(|value| value.to_string()),
        ColumnValues::F64(column) => column.first(doc).map(java_double),
        ColumnValues::Bool(column) => column.first(doc).map(|value| u8::from(value).to_string()),
    }
}
