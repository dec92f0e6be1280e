use super::*;
use proptest::prelude::*;

/// Rebuilds the value, to compare with serde_json.
fn read(r: &mut Reader<'_>) -> JsonResult<serde_json::Value> {
    let mut first = true;
    Ok(match r.value()? {
        Token::ObjectStart => {
            let mut map = serde_json::Map::new();
            while let Some(key) = r.next_key(&mut first)? {
                let value = read(r)?;
                map.insert(key.into_owned(), value);
            }
            map.into()
        }
        Token::ArrayStart => {
            let mut items = vec![];
            while r.next_item(&mut first)? {
                items.push(read(r)?);
            }
            items.into()
        }
        Token::Str(s) => s.into_owned().into(),
        Token::Num(n) => serde_json::from_str(n).expect("a number"),
        Token::Bool(b) => b.into(),
        Token::Null => serde_json::Value::Null,
    })
}

fn parse(text: &str) -> JsonResult<serde_json::Value> {
    let mut r = Reader::new(text);
    let value = read(&mut r)?;
    r.end()?;
    Ok(value)
}

#[test]
fn errors_name_the_place() {
    for (text, start) in [
        ("{a:1}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"),
        ("{\"a\":tru}", "Unrecognized token 'tru'"),
        ("{\"a\":1", "Unexpected end-of-input"),
        ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma"),
        ("[01]", "Invalid numeric value: Leading zeroes not allowed"),
        ("\"a\nb\"", "Illegal unquoted character ((CTRL-CHAR, code 10))"),
        ("{\"a\":\"x", "Unexpected end-of-input in VALUE_STRING"),
    ] {
        let message = parse(text).expect_err(text).message;
        assert!(message.starts_with(start), "{text}: {message}");
    }
    assert!(parse("{\n x").expect_err("bad").message.ends_with("line: 2, column: 2]"));
}

#[test]
fn deep_nesting_is_refused() {
    assert!(parse(&"[".repeat(100_000)).expect_err("deep").message.contains("nesting depth"));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Into::into)),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map(".{0,70}", inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde(value in json()) {
        prop_assert_eq!(&parse(&value.to_string()).expect("valid"), &value);
        prop_assert_eq!(&parse(&serde_json::to_string_pretty(&value).expect("json")).expect("valid"), &value);
    }

    #[test]
    fn accepts_only_what_serde_accepts(text in "[\\[\\]{}\",:0-9eE+.\\-truefalsn \\\\u]{0,24}") {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let ours = parse(&text);
        // Lone surrogates and huge exponents are ours to accept.
        if !text.contains("\\u") && !text.contains(['e', 'E']) {
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", ours);
        }
    }
}
