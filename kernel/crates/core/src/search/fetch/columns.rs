//! `docvalue_fields`: values of columns as they are shown.

use serde_json::Value;
use tantivy::DocId;

use crate::Result;
use crate::dates::{DateFormat, zone};
use crate::mapping::{FieldDef, FieldKind};
use crate::search::docs::{ColumnValues, ip_column, numeric_column, str_column};
use crate::search::json;
use crate::search::query::SegmentView;
use crate::search::sort::ip_text;

/// The values of a document in a column, each as JSON.
pub fn column_values(
    segment: &SegmentView<'_>,
    def: &FieldDef,
    format: Option<&str>,
    doc: DocId,
) -> Result<Vec<Vec<u8>>> {
    let mut values = Vec::new();
    match def.kind {
        FieldKind::Keyword => {
            if let Some(column) = str_column(segment.segment, &def.stored_name())? {
                for ord in column.term_ords(doc) {
                    let mut text = String::new();
                    column.ord_to_str(ord, &mut text)?;
                    values.push(string(&text));
                }
            }
        }
        FieldKind::Ip => {
            if let Some(column) = ip_column(segment.segment, &def.stored_name())? {
                let mut found: Vec<_> = column.values_for_doc(doc).collect();
                found.sort_unstable();
                found.dedup();
                values.extend(found.into_iter().map(|ip| string(&ip_text(ip))));
            }
        }
        FieldKind::Text | FieldKind::Binary => {}
        _ => {
            if let Some(column) = numeric_column(segment.segment, def)? {
                numbers(&column, def, format, doc, &mut values)?;
            }
        }
    }
    Ok(values)
}

fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::write_str(&mut out, text);
    out
}

fn numbers(
    column: &ColumnValues,
    def: &FieldDef,
    format: Option<&str>,
    doc: DocId,
    out: &mut Vec<Vec<u8>>,
) -> Result<()> {
    match column {
        ColumnValues::I64(column) => {
            let mut values: Vec<i64> = column.values_for_doc(doc).collect();
            values.sort_unstable();
            for value in values {
                out.push(whole(value, def, format)?);
            }
        }
        ColumnValues::U64(column) => {
            let mut values: Vec<u64> = column.values_for_doc(doc).collect();
            values.sort_unstable();
            out.extend(values.into_iter().map(|value| value.to_string().into_bytes()));
        }
        ColumnValues::F64(column) => {
            let mut values: Vec<f64> = column.values_for_doc(doc).collect();
            values.sort_by(f64::total_cmp);
            out.extend(values.into_iter().map(|value| number(value, format)));
        }
        ColumnValues::Bool(column) => {
            let mut values: Vec<bool> = column.values_for_doc(doc).collect();
            values.sort_unstable();
            out.extend(values.into_iter().map(|value| value.to_string().into_bytes()));
        }
    }
    Ok(())
}

fn whole(value: i64, def: &FieldDef, format: Option<&str>) -> Result<Vec<u8>> {
    Ok(match def.kind {
        FieldKind::ScaledFloat => number(value as f64 / def.scaling_factor, format),
        FieldKind::Date | FieldKind::DateNanos => string(&date_text(value, def, format)?),
        _ if format.is_some() => number(value as f64, format),
        _ => value.to_string().into_bytes(),
    })
}

/// A date in the format asked for, or its field's.
pub fn date_text(value: i64, def: &FieldDef, format: Option<&str>) -> Result<String> {
    let format = format.or(def.format.as_deref()).unwrap_or("strict_date_optional_time");
    let format = DateFormat::get(format)?;
    Ok(match def.kind {
        FieldKind::DateNanos => format.print_nanos(value, &zone::UTC),
        _ => format.print_millis(value, &zone::UTC),
    })
}

/// A number as such, or as text in a decimal pattern such as `0.00` or `#,##0.###`.
fn number(value: f64, format: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Some(pattern) => json::write_str(&mut out, &decimal(value, pattern)),
        None => json::write_f64(&mut out, value),
    }
    out
}

/// Java's DecimalFormat as far as digits, grouping, percent and literals go.
fn decimal(value: f64, pattern: &str) -> String {
    let special = |c: char| matches!(c, '#' | '0' | '.' | ',');
    let start = pattern.find(special).unwrap_or(pattern.len());
    let end = pattern.rfind(special).map_or(start, |at| at + 1);
    let (prefix, body, suffix) = (&pattern[..start], &pattern[start..end], &pattern[end..]);
    let percent = prefix.contains('%') || suffix.contains('%');
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let most = fraction.chars().filter(|c| matches!(c, '#' | '0')).count();
    let least = fraction.chars().filter(|c| *c == '0').count();
    let scaled = if percent { value * 100.0 } else { value };
    let text = format!("{:.most$}", scaled.abs());
    let (digits, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let kept = decimals.trim_end_matches('0').len().max(least).min(decimals.len());
    let width = whole.chars().filter(|c| *c == '0').count();
    let mut digits = format!("{digits:0>width$}");
    if width == 0 && digits == "0" && kept > 0 {
        digits.clear();
    }
    if let Some((_, group)) = whole.rsplit_once(',') {
        digits = grouped(&digits, group.len().max(1));
    }
    let sign = if scaled < 0.0 { "-" } else { "" };
    let point = if kept > 0 { "." } else { "" };
    format!("{prefix}{sign}{digits}{point}{}{suffix}", &decimals[..kept])
}

fn grouped(digits: &str, size: usize) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(size) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A value of JSON as bytes with Java's floats.
pub fn value_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write_value(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimal_patterns() {
        assert_eq!(decimal(3.14159, "0.00"), "3.14");
        assert_eq!(decimal(1234567.5, "#,##0.###"), "1,234,567.5");
        assert_eq!(decimal(0.256, "0.0%"), "25.6%");
        assert_eq!(decimal(-5.0, "000"), "-005");
    }
}
