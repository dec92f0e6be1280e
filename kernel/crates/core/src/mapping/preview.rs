//! The preview of a value in an error message: what Java's `toString` makes of it.

use super::json::{JsonResult, Reader, Token};

/// `text` is the JSON of one value.
pub fn preview(text: &str) -> String {
    show(&mut Reader::new(text)).unwrap_or_else(|_| text.to_owned())
}

fn show(json: &mut Reader<'_>) -> JsonResult<String> {
    let mut first = true;
    Ok(match json.value()? {
        Token::Null => "null".to_owned(),
        Token::Bool(b) => b.to_string(),
        Token::Str(s) => s.into_owned(),
        Token::Num(n) if n.contains(['.', 'e', 'E']) => java_double(n.parse().unwrap_or(f64::NAN)),
        Token::Num(n) => n.to_owned(),
        Token::ArrayStart => {
            let mut items = vec![];
            while json.next_item(&mut first)? {
                items.push(show(json)?);
            }
            format!("[{}]", items.join(", "))
        }
        Token::ObjectStart => {
            let mut members: Vec<(String, String)> = vec![];
            while let Some(key) = json.next_key(&mut first)? {
                members.push((key.into_owned(), show(json)?));
            }
            hash_order(&mut members);
            let parts: Vec<String> = members.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{{{}}}", parts.join(", "))
        }
    })
}

/// The order in which a `HashMap` gives its entries.
fn hash_order(members: &mut [(String, String)]) {
    let mut capacity = 16usize;
    while members.len() * 4 > capacity * 3 {
        capacity *= 2;
    }
    members.sort_by_key(|(key, _)| {
        let hash = key.encode_utf16().fold(0u32, |h, unit| h.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    });
}

/// As `Double.toString`.
pub fn java_double(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = x.abs();
    if x == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let plain = format!("{x}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
    format!("{mantissa}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_java_prints() {
        assert_eq!(preview(r#"{"b":[1,2.0,"x"],"a":null}"#), "{a=null, b=[1, 2.0, x]}");
        assert_eq!(preview("\"abc\""), "abc");
        assert_eq!(java_double(1e10), "1.0E10");
        assert_eq!(java_double(123.0), "123.0");
        assert_eq!(java_double(1.5e-5), "1.5E-5");
    }
}
