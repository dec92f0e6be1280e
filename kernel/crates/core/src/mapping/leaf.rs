//! From one scalar of a document to the values of one leaf.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use super::fault::Fault;
use super::json::Token;
use super::numbers::{self, Number};
use super::tree::Leaf;
use super::types::{FieldKind, IndexValue};

/// Lucene's longest term.
const MAX_TERM: usize = 32_766;

/// What became of a value.
#[derive(Debug)]
pub enum Parsed {
    Value(IndexValue),
    /// Only that there is a value is kept.
    Present,
    /// Null without null_value, an empty string for a number.
    Nothing,
    /// Not indexed, its field named in `_ignored`.
    Ignored,
}

/// A scalar, or the opening of something that a leaf cannot take.
pub fn parse(leaf: &Leaf, token: &Token<'_>) -> Result<Parsed, Fault> {
    let replaced;
    let token = match (token, &leaf.null_value) {
        (Token::Null, Some(text)) => {
            replaced = Token::Str(Cow::Borrowed(text.as_str()));
            &replaced
        }
        (Token::Null, None) => return Ok(Parsed::Nothing),
        _ => token,
    };
    match leaf.def.kind {
        FieldKind::Text => Ok(Parsed::Value(IndexValue::Str(text(token)?.into_owned()))),
        FieldKind::Keyword => keyword(leaf, token),
        kind => match other(leaf, kind, token) {
            Err(_) if leaf.ignore_malformed => Ok(Parsed::Ignored),
            done => done,
        },
    }
}

/// A scalar as text; numbers and booleans as they were written.
pub fn text<'t>(token: &'t Token<'_>) -> Result<Cow<'t, str>, Fault> {
    match token {
        Token::Str(s) => Ok(Cow::Borrowed(s)),
        Token::Num(n) => Ok(Cow::Borrowed(n)),
        Token::Bool(b) => Ok(Cow::Borrowed(if *b { "true" } else { "false" })),
        Token::Null => Ok(Cow::Borrowed("null")),
        Token::ObjectStart => Err(no_text("START_OBJECT")),
        Token::ArrayStart => Err(no_text("START_ARRAY")),
    }
}

fn no_text(token: &str) -> Fault {
    Fault::new("illegal_state_exception", format!("Can't get text on a {token}"))
}

fn keyword(leaf: &Leaf, token: &Token<'_>) -> Result<Parsed, Fault> {
    let value = text(token)?;
    // A string never has more UTF-16 units than bytes.
    if value.len() > leaf.ignore_above && value.encode_utf16().count() > leaf.ignore_above {
        return Ok(Parsed::Nothing);
    }
    let value = match &leaf.normalizer {
        Some(normalizer) => normalizer.normalize(&value),
        None => value.into_owned(),
    };
    if value.len() > MAX_TERM && (leaf.def.indexed || leaf.def.column) {
        return Err(immense(&leaf.def.path, &value));
    }
    Ok(Parsed::Value(IndexValue::Str(value)))
}

fn immense(path: &str, value: &str) -> Fault {
    let prefix: Vec<String> = value.as_bytes()[..30].iter().map(|b| (*b as i8).to_string()).collect();
    let length = value.len();
    Fault::argument(format!(
        "Document contains at least one immense term in field=\"{path}\" (whose UTF8 encoding is longer than the max length {MAX_TERM}), \
         all of which were skipped.  Please correct the analyzer to not produce such terms.  The prefix of the first immense term is: \
         '[{}]...', original message: bytes can be at most {MAX_TERM} in length; got {length}",
        prefix.join(", ")
    ))
    .caused_by(Fault::new(
        "max_bytes_length_exceeded_exception",
        format!("bytes can be at most {MAX_TERM} in length; got {length}"),
    ))
}

fn other(leaf: &Leaf, kind: FieldKind, token: &Token<'_>) -> Result<Parsed, Fault> {
    match kind {
        FieldKind::Boolean => boolean(token),
        FieldKind::Date | FieldKind::DateNanos => date(leaf, kind, &text(token)?),
        FieldKind::Ip => ip(&text(token)?).map(|ip| Parsed::Value(IndexValue::Ip(ip))),
        FieldKind::Binary => {
            // Only `_source` keeps it: nothing is decoded.
            let value = text(token)?;
            if leaf.def.params.get("type").and_then(Value::as_str) == Some("binary") {
                base64(token, &value)?;
            }
            Ok(Parsed::Present)
        }
        _ => number(leaf, kind, token),
    }
}

/// Refuses what is no base64, as Jackson reads it: in units of four, padded, blanks between them.
fn base64(token: &Token<'_>, value: &str) -> Result<(), Fault> {
    let fault = |reason: String| Err(Fault::new("json_parse_exception", reason));
    if !matches!(token, Token::Str(_)) {
        let name = token_name(token);
        return fault(format!(
            "Current token ({name}) not VALUE_STRING or VALUE_EMBEDDED_OBJECT, can not access as binary"
        ));
    }
    let units: Vec<char> = value.chars().filter(|c| *c > ' ').collect();
    let padding = units.iter().rev().take_while(|c| **c == '=').count();
    let (data, _) = units.split_at(units.len() - padding);
    let within = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    match data.iter().find(|c| !within(c)) {
        None if units.len().is_multiple_of(4) && padding <= 2 => Ok(()),
        None => fault(
            "Failed to decode VALUE_STRING as base64 (MIME-NO-LINEFEEDS): unexpected end of base64-encoded String"
                .into(),
        ),
        Some(c) => fault(format!(
            "Failed to decode VALUE_STRING as base64 (MIME-NO-LINEFEEDS): Illegal character '{c}' (code 0x{:x}) in base64 content",
            *c as u32
        )),
    }
}

pub fn token_name(token: &Token<'_>) -> &'static str {
    match token {
        Token::ObjectStart => "START_OBJECT",
        Token::ArrayStart => "START_ARRAY",
        Token::Str(_) => "VALUE_STRING",
        Token::Num(n) if n.contains(['.', 'e', 'E']) => "VALUE_NUMBER_FLOAT",
        Token::Num(_) => "VALUE_NUMBER_INT",
        Token::Bool(true) => "VALUE_TRUE",
        Token::Bool(false) => "VALUE_FALSE",
        Token::Null => "VALUE_NULL",
    }
}

fn number(leaf: &Leaf, kind: FieldKind, token: &Token<'_>) -> Result<Parsed, Fault> {
    let number = match token {
        Token::Str(s) if s.is_empty() && leaf.coerce => return Ok(Parsed::Nothing),
        Token::Str(s) => Number::Text(s),
        Token::Num(n) => Number::Literal(n),
        _ => {
            let name = token_name(token);
            let reason = format!("Current token ({name}) not numeric, can not use numeric value accessors");
            return Err(Fault::new("json_parse_exception", reason));
        }
    };
    let coerce = leaf.coerce;
    let value = match kind {
        FieldKind::UnsignedLong => IndexValue::U64(numbers::unsigned_long(number, coerce)?),
        FieldKind::ScaledFloat => {
            IndexValue::I64(numbers::scale(numbers::float(kind, number, coerce)?, leaf.def.scaling_factor))
        }
        FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => {
            IndexValue::F64(numbers::float(kind, number, coerce)?)
        }
        _ => IndexValue::I64(numbers::integer(kind, number, coerce)?),
    };
    Ok(Parsed::Value(value))
}

fn boolean(token: &Token<'_>) -> Result<Parsed, Fault> {
    let value = match token {
        Token::Bool(b) => *b,
        Token::Str(s) => match s.as_ref() {
            "true" => true,
            "false" | "" => false,
            other => {
                return Err(Fault::argument(format!(
                    "Failed to parse value [{other}] as only [true] or [false] are allowed."
                )));
            }
        },
        other => {
            let reason = format!("Current token ({}) not of boolean type", token_name(other));
            return Err(Fault::new("json_parse_exception", reason));
        }
    };
    Ok(Parsed::Value(IndexValue::Bool(value)))
}

fn date(leaf: &Leaf, kind: FieldKind, value: &str) -> Result<Parsed, Fault> {
    let Some(format) = &leaf.date else {
        return Ok(Parsed::Nothing);
    };
    let parsed = if kind == FieldKind::DateNanos { format.parse_nanos(value) } else { format.parse_millis(value) };
    match parsed {
        Ok(instant) => Ok(Parsed::Value(IndexValue::I64(instant))),
        Err(e) => Err(date_fault(e)),
    }
}

fn date_fault(e: crate::dates::DateError) -> Fault {
    let fault = Fault::new(e.kind, e.reason);
    match e.cause {
        Some(cause) => fault.caused_by(date_fault(*cause)),
        None => fault,
    }
}

/// An address; version 4 is mapped into version 6.
pub fn ip(value: &str) -> Result<Ipv6Addr, Fault> {
    // A scope id names an interface of the sender, not of the address.
    let bare = value.split_once('%').filter(|(head, _)| head.contains(':')).map_or(value, |(head, _)| head);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => Ok(v4.to_ipv6_mapped()),
        Ok(IpAddr::V6(v6)) => Ok(v6),
        Err(_) => Err(Fault::argument(format!("'{value}' is not an IP string literal."))),
    }
}
