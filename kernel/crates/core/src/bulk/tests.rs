use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;

fn split(body: &str) -> crate::Result<Bulk> {
    Bulk::split(body.as_bytes().to_vec(), Some("i"), &Defaults::default())
}

fn reason(body: &str) -> String {
    split(body).err().expect("the body is refused").reason
}

fn target(name: &str) -> HashMap<String, Target> {
    let target = json!({"index": name, "uuid": "u", "shards": 1, "routing_shards": 1024, "total_copies": 2});
    HashMap::from([(name.to_owned(), serde_json::from_value(target).unwrap())])
}

#[test]
fn errors_read_as_opensearchs() {
    for (body, expected) in [
        (
            "{\"foo\":{}}\n{}\n",
            "Malformed action/metadata line [1], expected one of [create, delete, index, update] but found [foo]",
        ),
        ("[\"x\"]\n", "Malformed action/metadata line [1], expected START_OBJECT but found [START_ARRAY]"),
        ("{\"index\":{\"bar\":1}}\n{}\n", "Action/metadata line [1] contains an unknown parameter [bar]"),
        (
            "{\"index\":[]}\n{}\n",
            "Malformed action/metadata line [1], expected START_OBJECT or END_OBJECT but found [START_ARRAY]",
        ),
        (
            "{\"index\":{\"_id\":[\"a\"]}}\n{}\n",
            "Malformed action/metadata line [1], expected a simple value for field [_id] but found [START_ARRAY]",
        ),
        ("{\"index\":{}}\n{}", "The bulk request must be terminated by a newline [\\n]"),
        ("\n", "Validation Failed: 1: no requests added;"),
        ("{\"update\":{}}\n{\"doc\":{}}\n", "Validation Failed: 1: id is missing;"),
        ("{\"update\":{\"_id\":\"8\"}}\n{\"foo\":1}\n", "[1:2] [UpdateRequest] unknown field [foo]"),
        (
            "{\"create\":{\"_id\":\"9\",\"version\":3,\"version_type\":\"external\"}}\n{}\n{\"delete\":{}}\n",
            "Validation Failed: 1: create operations only support internal versioning. use index instead;2: id is missing;",
        ),
        (
            "{\"index\":{}}\n{}\n{\"index\":null}\n{}\n",
            "Malformed action/metadata line [3], expected START_OBJECT or END_OBJECT but found [VALUE_NULL]",
        ),
    ] {
        assert_eq!(reason(body), expected, "{body}");
    }
}

#[test]
fn items_point_at_their_documents() {
    let bulk = split(
        "{\"index\":{\"_id\":5,\"routing\":7}}\r\n{\"a\":1}\r\n\n{\"delete\":{\"_id\":\"x\"}}\n{\"create\":{}}\n{}\n",
    )
    .unwrap();
    assert_eq!(bulk.len(), 3);
    let routed = bulk.route(&target("i"), &Rejects::default()).unwrap();
    let slice = &routed.slices[0];
    assert_eq!(slice.items[0].id, "5");
    assert_eq!(slice.items[0].routing.as_deref(), Some("7"));
    assert_eq!(slice.source(&slice.items[0]).as_slice(), b"{\"a\":1}");
    assert_eq!(slice.items[1].action, Action::Delete);
    assert!(slice.items[2].auto_id && slice.items[2].id.len() == 20);
    let again = Slice::from_bytes(slice.to_bytes()).unwrap();
    assert_eq!(again.source(&again.items[0]).as_slice(), b"{\"a\":1}");
    assert_eq!(again.items.len(), 3);
    assert!(Slice::from_bytes(vec![1, 200, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn answers_keep_the_order_of_the_items() {
    let body = "{\"index\":{\"_id\":\"1\"}}\n{}\n{\"index\":{\"_id\":\"2\"}}\n{}\n{\"index\":{\"_index\":\"bad\",\"_id\":\"3\"}}\n{}\n";
    let bulk = split(body).unwrap();
    let rejects: Rejects = serde_json::from_value(
        json!({"items": {"0": {"type": "t", "reason": "r", "status": 418}}, "names": {"bad": {"type": "n", "reason": "x", "status": 404}}}),
    )
    .unwrap();
    let routed = bulk.route(&target("i"), &rejects).unwrap();
    let mut result = SliceResult::new(1);
    let answer = Answer { result: "created", version: 1, seq_no: 0, primary_term: 1, status: 201, get: None };
    result.set(&routed.slices[0], 0, Outcome::Done(answer));
    let (bytes, errors) = render(bulk.len(), &routed.rejected, &[(&routed.slices[0], &result)], 3, true);
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(errors);
    let expected = json!({"took": 3, "errors": true, "items": [
        {"index": {"_index": "i", "_id": "1", "status": 418, "error": {"type": "t", "reason": "r"}}},
        {"index": {"_index": "i", "_id": "2", "_version": 1, "result": "created", "forced_refresh": true,
            "_shards": {"total": 2, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1, "status": 201}},
        {"index": {"_index": "bad", "_id": "3", "status": 404, "error": {"type": "n", "reason": "x"}}},
    ]});
    assert_eq!(body, expected);
}

#[test]
fn partial_documents_merge_deeply() {
    let Value::Object(mut source) = json!({"a": {"b": 1, "c": [1]}, "d": 1}) else { unreachable!() };
    let change = |value: Value| value.as_object().unwrap().clone();
    assert!(!update::merge(&mut source, change(json!({"a": {"b": 1}, "d": 1}))));
    assert!(update::merge(&mut source, change(json!({"a": {"c": [2], "e": null}, "d": {"f": 1}}))));
    assert_eq!(Value::Object(source), json!({"a": {"b": 1, "c": [2], "e": null}, "d": {"f": 1}}));
}
