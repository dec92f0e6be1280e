//! Which terms are let in: `include` and `exclude` as patterns, lists, or partitions.

use std::collections::HashSet;

use regex_automata::meta::Regex;
use serde_json::Value;

use crate::aggs::format::Format;
use crate::aggs::ip_range::parse_ip;
use crate::aggs::params;
use crate::aggs::source::NumKind;
use crate::{Error, Result};

enum Part {
    Regex(Box<Regex>),
    Values(Vec<Value>),
}

/// `include` and `exclude` of a request.
pub struct Include {
    include: Option<Part>,
    exclude: Option<Part>,
    partition: Option<(i64, i64)>,
}

/// The filter on strings.
pub struct Strings<'a> {
    rules: &'a Include,
    include: Option<HashSet<Vec<u8>>>,
    exclude: Option<HashSet<Vec<u8>>>,
}

/// The filter on numbers in their column form (and addresses as 128 bits).
pub struct Numbers<N> {
    include: Option<HashSet<N>>,
    exclude: Option<HashSet<N>>,
    partition: Option<(i64, i64)>,
}

impl Include {
    pub fn parse(params: &Value) -> Result<Include> {
        let mut partition = None;
        if let Some(found) = params::value(params, "include").filter(|i| i.get("num_partitions").is_some()) {
            let number = params::long(found, "partition").unwrap_or(0);
            let total = params::long(found, "num_partitions").unwrap_or(1);
            if total < 1 || number < 0 || number >= total {
                return Err(Error::illegal_argument(
                    "Partition must be a positive integer less than the number of partitions",
                ));
            }
            partition = Some((number, total));
        }
        let include = if partition.is_some() { None } else { part(params, "include")? };
        Ok(Include { include, exclude: part(params, "exclude")?, partition })
    }

    pub fn is_open(&self) -> bool {
        self.include.is_none() && self.exclude.is_none() && self.partition.is_none()
    }

    pub fn strings(&self) -> Strings<'_> {
        let set = |part: &Option<Part>| match part {
            Some(Part::Values(values)) => Some(values.iter().map(|v| text_of(v).into_bytes()).collect()),
            _ => None,
        };
        Strings { rules: self, include: set(&self.include), exclude: set(&self.exclude) }
    }

    pub fn numbers(&self, agg: &str, kind: NumKind, format: &Format) -> Result<Numbers<u64>> {
        self.typed(agg, |value| kind.parse(value, format))
    }

    pub fn addresses(&self, agg: &str) -> Result<Numbers<u128>> {
        self.typed(agg, |value| parse_ip(&text_of(value)))
    }

    fn typed<N: std::hash::Hash + Eq>(&self, agg: &str, parse: impl Fn(&Value) -> Result<N>) -> Result<Numbers<N>> {
        let set = |part: &Option<Part>| match part {
            None => Ok(None),
            Some(Part::Values(values)) => values.iter().map(&parse).collect::<Result<HashSet<N>>>().map(Some),
            Some(Part::Regex(_)) => Err(Error::new(
                "aggregation_execution_exception",
                500,
                format!(
                    "Aggregation [{agg}] cannot support regular expression style include/exclude settings as they can only be applied \
                     to string fields. Use an array of values for include/exclude clauses"
                ),
            )),
        };
        Ok(Numbers { include: set(&self.include)?, exclude: set(&self.exclude)?, partition: self.partition })
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// Text or `{"regex": text}` is a pattern; a list or `{"values": list}` are terms.
fn part(params: &Value, name: &str) -> Result<Option<Part>> {
    let Some(value) = params::value(params, name) else { return Ok(None) };
    let pattern = value.as_str().or_else(|| params::text(value, "regex"));
    if let Some(pattern) = pattern {
        return Ok(Some(Part::Regex(Box::new(compile(pattern)?))));
    }
    let values = value.as_array().or_else(|| value.get("values").and_then(Value::as_array));
    match values {
        Some(values) => Ok(Some(Part::Values(values.clone()))),
        None => Err(Error::illegal_argument(format!("Unrecognized token in [{name}]"))),
    }
}

fn compile(pattern: &str) -> Result<Regex> {
    let bad = |reason: String| Error::illegal_argument(format!("invalid regular expression [{pattern}]: {reason}"));
    let translated = translate(pattern).map_err(bad)?;
    Regex::builder()
        .configure(Regex::config().nfa_size_limit(Some(10 << 20)))
        .build(&format!(r"\A(?s:{translated})\z"))
        .map_err(|e| bad(e.to_string()))
}

/// Lucene's syntax of regular expressions in the terms of the regex crate. Complement and intersection have no counterpart.
fn translate(pattern: &str) -> std::result::Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => out.extend(['\\', next]),
                Some(next) => out.push_str(&regex::escape(&next.to_string())),
                None => return Err("end of expression after \\".to_string()),
            },
            ']' if class => {
                class = false;
                out.push(']');
            }
            '[' if class => out.push_str("\\["),
            '&' | '~' if class => out.extend(['\\', c]),
            _ if class => out.push(c),
            '[' => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            '"' => {
                let literal: String = chars.by_ref().take_while(|c| *c != '"').collect();
                out.push_str(&regex::escape(&literal));
            }
            '@' => out.push_str(".*"),
            '#' => out.push_str("[^\\x00-\\x{10FFFF}]"),
            '^' | '$' => out.extend(['\\', c]),
            '<' => {
                let inner: String = chars.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(&interval(&inner)?);
            }
            '~' | '&' => return Err(format!("[{c}] is not supported")),
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// `<1-20>` as a choice of numbers.
fn interval(inner: &str) -> std::result::Result<String, String> {
    let bounds = inner.split_once('-').and_then(|(a, b)| Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?)));
    let Some((low, high)) = bounds else { return Err(format!("illegal interval <{inner}>")) };
    let (low, high) = (low.min(high), low.max(high));
    if high - low > 10_000 {
        return Err(format!("interval <{inner}> is too wide"));
    }
    let choices: Vec<String> = (low..=high).map(|n| format!("0*{n}")).collect();
    Ok(format!("(?:{})", choices.join("|")))
}

impl Strings<'_> {
    pub fn accepts(&self, term: &[u8]) -> bool {
        if let Some((number, total)) = self.rules.partition
            && i64::from(murmur3(term, 31)).rem_euclid(total) != number
        {
            return false;
        }
        let inside = |part: &Option<Part>, set: &Option<HashSet<Vec<u8>>>| match (part, set) {
            (Some(Part::Regex(regex)), _) => Some(regex.is_match(term)),
            (_, Some(set)) => Some(set.contains(term)),
            _ => None,
        };
        inside(&self.rules.include, &self.include).unwrap_or(true)
            && !inside(&self.rules.exclude, &self.exclude).unwrap_or(false)
    }
}

impl Numbers<u64> {
    /// `value`: the number as Java's long (the bits of a double).
    pub fn accepts(&self, raw: u64, value: i64) -> bool {
        let parted = self.partition.is_none_or(|(number, total)| mix64(value).rem_euclid(total) == number);
        parted && self.listed(&raw)
    }
}

impl Numbers<u128> {
    pub fn accepts_address(&self, address: u128) -> bool {
        let bytes = address.to_be_bytes();
        let parted =
            self.partition.is_none_or(|(number, total)| i64::from(murmur3(&bytes, 31)).rem_euclid(total) == number);
        parted && self.listed(&address)
    }
}

impl<N: std::hash::Hash + Eq> Numbers<N> {
    fn listed(&self, value: &N) -> bool {
        self.include.as_ref().is_none_or(|set| set.contains(value))
            && self.exclude.as_ref().is_none_or(|set| !set.contains(value))
    }
}

/// David Stafford's mixer, which spreads numbers over partitions.
fn mix64(value: i64) -> i64 {
    let mut z = value as u64;
    z = (z ^ (z >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
    z = (z ^ (z >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
    (z ^ (z >> 32)) as i64
}

/// MurmurHash3 x86 32 bit.
fn murmur3(data: &[u8], seed: u32) -> i32 {
    let (c1, c2) = (0xcc9e_2d51u32, 0x1b87_3593u32);
    let mut h = seed;
    let (blocks, tail) = data.as_chunks::<4>();
    for block in blocks {
        let k = u32::from_le_bytes(*block).wrapping_mul(c1).rotate_left(15).wrapping_mul(c2);
        h = (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let k = tail.iter().rev().fold(0u32, |k, b| (k << 8) | u32::from(*b));
    if !tail.is_empty() {
        h ^= k.wrapping_mul(c1).rotate_left(15).wrapping_mul(c2);
    }
    h ^= data.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    (h ^ (h >> 16)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn partitions_are_those_of_opensearch() {
        let part = |n| Include::parse(&json!({"include": {"partition": n, "num_partitions": 2}})).unwrap();
        assert!(part(0).strings().accepts(b"bcd") && !part(0).strings().accepts(b"abc"));
        let numbers = |n| part(n).numbers("a", NumKind::I64, &Format::Raw).unwrap();
        assert!(numbers(0).accepts(0, 5678) && !numbers(0).accepts(0, 1234));
        assert!(numbers(1).accepts(0, 1234));
    }

    #[test]
    fn patterns_and_lists() {
        let include = Include::parse(&json!({"include": "a.*|b\"(x)\"", "exclude": ["abc"]})).unwrap();
        let strings = include.strings();
        assert!(strings.accepts(b"ab") && strings.accepts(b"b(x)"));
        assert!(!strings.accepts(b"abc") && !strings.accepts(b"xab"));
        assert!(Include::parse(&json!({"include": "a("})).is_err());
        let digits = Include::parse(&json!({"include": "n<8-12>"})).unwrap();
        assert!(digits.strings().accepts(b"n10") && !digits.strings().accepts(b"n13"));
        assert!(digits.numbers("n", NumKind::I64, &Format::Raw).is_err());
    }
}
