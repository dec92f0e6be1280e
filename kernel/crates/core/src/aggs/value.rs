//! The values that an aggregation works on: which field, which kind of column, what stands in for missing ones, how they print.

use std::sync::Arc;

use serde_json::Value;

use super::collect::ShardCtx;
use super::format::Format;
use super::params;
use super::source::{NumKind, Numbers, type_name};
use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

/// `field`, `missing`, `format`, `value_type` and `time_zone` of a request.
#[derive(Debug, Clone, Default)]
pub struct ValueParams {
    pub field: Option<String>,
    pub missing: Option<Value>,
    pub format: Option<String>,
    /// The format is the request's, not the field's.
    pub format_given: bool,
    pub value_type: Option<String>,
    pub time_zone: Option<String>,
}

/// The field as this shard maps it.
pub struct Resolved {
    pub field: Option<Arc<FieldDef>>,
    /// The mapped type, or what `value_type` says of an unmapped field.
    pub kind: Option<FieldKind>,
    pub format: Format,
}

impl ValueParams {
    pub fn parse(params: &Value) -> ValueParams {
        ValueParams {
            field: params::text(params, "field").map(str::to_string),
            missing: params::value(params, "missing").cloned(),
            format: params::text(params, "format").map(str::to_string),
            format_given: params::flag(params, "format_given"),
            value_type: params::text(params, "value_type").map(str::to_string),
            time_zone: params::text(params, "time_zone").map(str::to_string),
        }
    }

    /// Like [`parse`](Self::parse), refusing a request without `field`.
    pub fn required(params: &Value) -> Result<ValueParams> {
        let parsed = ValueParams::parse(params);
        if parsed.field.is_none() {
            return Err(Error::illegal_argument("Required one of fields [field, script], but none were specified. "));
        }
        Ok(parsed)
    }

    pub fn resolve(&self, ctx: &ShardCtx<'_>) -> Result<Resolved> {
        let field = match &self.field {
            Some(path) => ctx.column_field(path)?,
            None => None,
        };
        let kind = match (&field, self.value_type.as_deref()) {
            (Some(field), _) => Some(field.kind),
            (None, Some(name)) => Some(kind_named(name)?),
            (None, None) => None,
        };
        let format = kind.map_or(Format::Raw, |kind| {
            Format::of(field.as_deref(), kind, self.format.as_deref(), self.time_zone.as_deref())
        });
        Ok(Resolved { field, kind, format })
    }

    /// The field as numbers; an unmapped field counts as doubles without values.
    pub fn numbers(&self, ctx: &ShardCtx<'_>, agg: &str) -> Result<(Numbers, Format)> {
        let resolved = self.resolve(ctx)?;
        let factor = resolved.field.as_ref().map_or(1.0, |f| f.scaling_factor);
        let kind = match resolved.kind {
            None => NumKind::F64,
            Some(kind) => NumKind::of(kind, factor).ok_or_else(|| self.unsupported(kind, agg))?,
        };
        let missing = match &self.missing {
            Some(value) => Some(kind.parse(value, &resolved.format)?),
            None => None,
        };
        Ok((Numbers::new(resolved.field, kind, missing), resolved.format))
    }

    pub fn unsupported(&self, kind: FieldKind, agg: &str) -> Error {
        let path = self.field.as_deref().unwrap_or("");
        Error::illegal_argument(format!(
            "Field [{path}] of type [{}] is not supported for aggregation [{agg}]",
            type_name(kind)
        ))
    }
}

fn kind_named(name: &str) -> Result<FieldKind> {
    Ok(match name {
        "string" | "keyword" => FieldKind::Keyword,
        "long" | "integer" | "short" | "byte" => FieldKind::Long,
        "unsigned_long" => FieldKind::UnsignedLong,
        "double" | "float" | "half_float" | "number" | "numeric" => FieldKind::Double,
        "date" => FieldKind::Date,
        "boolean" => FieldKind::Boolean,
        "ip" => FieldKind::Ip,
        _ => return Err(Error::illegal_argument(format!("Unknown value type [{name}]"))),
    })
}
