use serde_json::{Value, json};

use super::*;

fn mapping(properties: Value) -> std::sync::Arc<Mapping> {
    Mapping::compile(&json!({"properties": properties}), &json!({}), None).expect("compiles")
}

fn parse(mapping: &Mapping, doc: &Value) -> ParsedDoc {
    mapping.parse("1", None, doc.to_string().as_bytes()).expect("parses")
}

fn values<'d>(mapping: &Mapping, doc: &'d IndexDoc, path: &str) -> Vec<&'d IndexValue> {
    let field = mapping.schema.get_field(path).expect("field");
    doc.values.iter().filter(|(f, _)| *f == field).map(|(_, v)| v).collect()
}

fn error(mapping: &Mapping, doc: &str) -> crate::Error {
    match mapping.parse("1", None, doc.as_bytes()) {
        Err(DocError::Invalid(e)) => e,
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn scalars_of_all_kinds() {
    let m = mapping(json!({
        "t": {"type": "text"}, "k": {"type": "keyword"}, "l": {"type": "long"}, "d": {"type": "double"},
        "b": {"type": "boolean"}, "at": {"type": "date"}, "ip": {"type": "ip"}, "s": {"type": "scaled_float", "scaling_factor": 100}
    }));
    let doc = parse(
        &m,
        &json!({
            "t": "Hello World", "k": 1.50, "l": "12", "d": 1, "b": "true", "at": "2024-02-29T12:00:00.123+01:00", "ip": "10.0.0.1", "s": 1.234
        }),
    );
    let root = &doc.docs[0];
    assert_eq!(values(&m, root, "t"), [&IndexValue::Str("Hello World".into())]);
    assert_eq!(values(&m, root, "k"), [&IndexValue::Str("1.5".into())]);
    assert_eq!(values(&m, root, "l"), [&IndexValue::I64(12)]);
    assert_eq!(values(&m, root, "d"), [&IndexValue::F64(1.0)]);
    assert_eq!(values(&m, root, "b"), [&IndexValue::Bool(true)]);
    assert_eq!(values(&m, root, "at"), [&IndexValue::I64(1_709_204_400_123)]);
    assert_eq!(values(&m, root, "ip"), [&IndexValue::Ip("::ffff:10.0.0.1".parse().expect("ip"))]);
    assert_eq!(values(&m, root, "s"), [&IndexValue::I64(123)]);
    assert_eq!(values(&m, root, "_id"), [&IndexValue::Str("1".into())]);
}

#[test]
fn several_values_are_sorted_and_joined() {
    let m = mapping(json!({"t": {"type": "text"}, "k": {"type": "keyword"}, "l": {"type": "long"}}));
    let doc = parse(&m, &json!({"t": ["a b", "c"], "k": ["y", ["x", "y"], null], "l": [3, 1, 3]}));
    let root = &doc.docs[0];
    let [IndexValue::Tokens(tokens)] = values(&m, root, "t")[..] else { panic!("no tokens") };
    let positions: Vec<_> = tokens.tokens.iter().map(|t| (t.text.as_str(), t.position)).collect();
    assert_eq!(positions, [("a", 0), ("b", 1), ("c", 102)]);
    assert_eq!(values(&m, root, "k"), [&IndexValue::Str("x".into()), &IndexValue::Str("y".into())]);
    assert_eq!(values(&m, root, "l"), [&IndexValue::I64(1), &IndexValue::I64(3), &IndexValue::I64(3)]);
}

#[test]
fn unknown_fields_are_named_all_at_once() {
    let m = mapping(json!({"o": {"properties": {"k": {"type": "keyword"}}}}));
    let source = br#"{"o":{"k":"x","n":1},"p":{"q":[null,{"r":1.5}]},"s":["2024-01-01"],"x.y":true,"z":null,"e":[]}"#;
    let Err(DocError::Unknown(fields)) = m.parse("1", None, source) else { panic!("known") };
    let found: Vec<_> = fields.iter().map(|f| (f.path.as_str(), f.json_type)).collect();
    assert_eq!(
        found,
        [("o.n", "long"), ("p", "object"), ("p.q", "object"), ("p.q.r", "double"), ("s", "string"), ("x.y", "boolean")]
    );
    assert_eq!(fields[4].sample, json!("2024-01-01"));
}

#[test]
fn strict_and_ignored_objects() {
    let m = Mapping::compile(
        &json!({"dynamic": "strict", "properties": {"o": {"dynamic": "false", "properties": {"s": {"dynamic": "strict", "properties": {}}}}, "off": {"type": "object", "enabled": false}}}),
        &json!({}),
        None,
    )
    .expect("compiles");
    let doc = m.parse("1", None, br#"{"o":{"x":1,"y":{"z":[1]}},"off":[1,{"a":"b"}]}"#).expect("parses");
    assert_eq!(doc.docs[0].values.len(), 1);
    let e = error(&m, r#"{"x":1}"#);
    assert_eq!(e.kind, "strict_dynamic_mapping_exception");
    assert_eq!(e.reason, "mapping set to strict, dynamic introduction of [x] within [_doc] is not allowed");
    assert_eq!(
        error(&m, r#"{"o":{"s":{"q":1}}}"#).reason,
        "mapping set to strict, dynamic introduction of [q] within [o.s] is not allowed"
    );
}

#[test]
fn nested_children_come_before_their_root() {
    let m = mapping(json!({"n": {"type": "nested", "include_in_root": true, "properties": {
        "k": {"type": "keyword", "copy_to": "all"}, "in": {"type": "nested", "properties": {"l": {"type": "long"}}}
    }}, "all": {"type": "text"}}));
    let doc = parse(&m, &json!({"n": [{"k": "a", "in": [{"l": 1}, {"l": 2}]}, {"k": "b"}]}));
    let paths: Vec<_> = doc.docs.iter().map(|d| values(&m, d, "_nested")).collect();
    let path = |p: &str| IndexValue::Str(p.into());
    assert_eq!(paths, [vec![&path("n.in")], vec![&path("n.in")], vec![&path("n")], vec![&path("n")], vec![]]);
    assert_eq!(values(&m, &doc.docs[2], "n.k"), [&path("a")]);
    let root = &doc.docs[4];
    assert_eq!(values(&m, root, "n.k"), [&path("a"), &path("b")]);
    assert!(matches!(values(&m, root, "all")[..], [IndexValue::Tokens(_)]));
}

#[test]
fn binary_values_are_base64() {
    let m = mapping(json!({"b": {"type": "binary"}, "g": {"type": "geo_point"}}));
    let refused = |value: Value| m.parse("1", None, json!({"b": value}).to_string().as_bytes()).is_err();
    for good in ["", "QUJD", "QUI=", "QQ==", "QUJD QUJD"] {
        assert!(!refused(json!(good)), "{good}");
    }
    for bad in [json!("not base64!"), json!("QUJ"), json!("Q==="), json!(1), json!(true)] {
        assert!(refused(bad.clone()), "{bad}");
    }
    assert!(m.parse("1", None, json!({"g": "41.12,-71.34"}).to_string().as_bytes()).is_ok());
}

#[test]
fn multi_fields_ignored_values_and_field_names() {
    let m = mapping(json!({
        "t": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 3}}},
        "l": {"type": "long", "ignore_malformed": true, "null_value": 7},
        "q": {"type": "keyword", "doc_values": false}
    }));
    let doc = parse(&m, &json!({"t": "äöüß", "l": ["x", null], "q": ["b", "a"]}));
    let root = &doc.docs[0];
    assert_eq!(values(&m, root, "t").len(), 1);
    assert!(values(&m, root, "t.raw").is_empty());
    assert_eq!(values(&m, root, "l"), [&IndexValue::I64(7)]);
    // A keyword that is too long is left out, as in OpenSearch, which names malformed values only.
    assert_eq!(values(&m, root, "_ignored"), [&IndexValue::Str("l".into())]);
    assert_eq!(values(&m, root, "_field_names"), [&IndexValue::Str("q".into())]);
}

#[test]
fn errors_read_as_opensearch_writes_them() {
    let m = mapping(
        json!({"age": {"type": "long"}, "o": {"properties": {}}, "t": {"type": "text"}, "b": {"type": "boolean"},
        "d": {"type": "date"}, "ip": {"type": "ip"}, "n": {"type": "nested", "properties": {}}, "al": {"type": "alias", "path": "t"}}),
    );
    let e = error(&m, r#"{"age":"abc"}"#);
    assert_eq!(
        e.reason,
        "failed to parse field [age] of type [long] in document with id '1'. Preview of field's value: 'abc'"
    );
    assert_eq!(
        e.detail,
        Some(json!({"caused_by": {"type": "illegal_argument_exception", "reason": "For input string: \"abc\""}}))
    );
    for (doc, reason, cause) in [
        (r#"{"o":1}"#, "object mapping for [o] tried to parse field [o] as object, but found a concrete value", ""),
        (
            r#"{"t":{"a":1}}"#,
            "failed to parse field [t] of type [text] in document with id '1'. Preview of field's value: '{a=1}'",
            "Can't get text on a START_OBJECT at 1:6",
        ),
        (
            r#"{"b":"no"}"#,
            "failed to parse field [b] of type [boolean] in document with id '1'. Preview of field's value: 'no'",
            "Failed to parse value [no] as only [true] or [false] are allowed.",
        ),
        (
            r#"{"d":"no"}"#,
            "failed to parse field [d] of type [date] in document with id '1'. Preview of field's value: 'no'",
            "failed to parse date field [no] with format [strict_date_optional_time||epoch_millis]",
        ),
        (
            r#"{"ip":"x"}"#,
            "failed to parse field [ip] of type [ip] in document with id '1'. Preview of field's value: 'x'",
            "'x' is not an IP string literal.",
        ),
        (
            r#"{"_id":"x"}"#,
            "failed to parse field [_id] of type [_id] in document with id '1'. Preview of field's value: 'x'",
            "Field [_id] is a metadata field and cannot be added inside a document. Use the index API request parameters.",
        ),
        (
            r#"{"n.a":1}"#,
            "Cannot add a value for field [n.a] since one of the intermediate objects is mapped as a nested object: [n]",
            "",
        ),
        (r#"{"al":1}"#, "failed to parse", "Cannot write to a field alias [al]."),
        (
            "[1]",
            "failed to parse",
            "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes",
        ),
        ("", "failed to parse, document is empty", ""),
        ("{} 1", "failed to parse", "Malformed content, found extra data after parsing: VALUE_NUMBER_INT"),
    ] {
        let e = error(&m, doc);
        assert_eq!(e.reason, reason, "{doc}");
        let found = e.detail.map_or(String::new(), |d| d["caused_by"]["reason"].as_str().unwrap_or("").to_owned());
        assert_eq!(found, cause, "{doc}");
    }
    let duplicate = error(&m, r#"{"age":1,"age":2}"#);
    assert!(duplicate.detail.expect("cause").to_string().contains("Duplicate field 'age'"));
    assert!(error(&m, &"{\"x\":".repeat(500)).reason.starts_with("The depth of the field"));
}

#[test]
fn any_path_has_a_stored_name_of_its_own() {
    let paths =
        ["-a", "-", "_nested", "_seq_no", "_ignored", "\u{0}", "\u{1}", "\u{2}", "a\u{1}b", "\u{2}1", "\u{2}-a", "a.b"];
    let names: std::collections::HashSet<String> =
        paths.iter().map(|path| schema::stored_name(path).into_owned()).collect();
    assert_eq!(names.len(), paths.len());
    assert_eq!(schema::stored_name("a-b._nested"), "a-b._nested");
    let properties: serde_json::Map<String, Value> =
        paths.iter().map(|path| ((*path).to_owned(), json!({"type": "keyword"}))).collect();
    let compiled = mapping(Value::Object(properties));
    assert!(paths.iter().all(|path| compiled.fields[*path].field.is_some()));
}

#[test]
fn field_ids_are_only_appended() {
    let one = mapping(json!({"b": {"type": "text"}, "a": {"type": "long"}}));
    let two = Mapping::compile(
        &json!({"properties": {"c": {"type": "keyword"}, "a": {"type": "long"}, "b": {"type": "text"}}}),
        &json!({}),
        Some(&one),
    )
    .expect("compiles");
    for path in ["a", "b"] {
        assert_eq!(one.schema.get_field(path).expect("old"), two.schema.get_field(path).expect("new"));
    }
    assert_eq!(two.order, ["b", "a", "c"]);
}

#[test]
fn duplicates_are_found_in_large_objects_too() {
    let m = Mapping::compile(&json!({"dynamic": "true", "properties": {}}), &json!({}), None).expect("compiles");
    let members: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{{\"k{n}\":1}}")).collect();
    let doc = format!("{{{}}}", members.join(","));
    assert!(matches!(m.parse("1", None, doc.as_bytes()), Err(DocError::Unknown(_))));
    let twice = format!("{{{},\"k7\":1}}", members.join(","));
    assert!(error(&m, &twice).detail.expect("cause").to_string().contains("Duplicate field 'k7'"));
}
