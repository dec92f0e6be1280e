//! From documents to their nested children and back.

use serde_json::{Value, json};

use super::run;

fn docs() -> Vec<Value> {
    vec![
        json!({"k": "a", "n": 1, "c": [{"x": 1, "name": "p", "g": [{"y": 1}, {"y": 2}]}, {"x": 2, "name": "q"}]}),
        json!({"k": "b", "n": 2}),
        json!({"k": "a", "n": 3, "c": {"x": 5, "name": "p", "g": {"y": 7}}}),
    ]
}

#[test]
fn down_and_up_again() {
    let docs = docs();
    let aggs = json!({"c": {"kind": "nested", "params": {"path": "c"}, "aggs": {
        "names": {"kind": "terms", "params": {"field": "c.name"}, "aggs": {
            "sum": {"kind": "sum", "params": {"field": "c.x"}},
            "back": {"kind": "reverse_nested", "params": {}, "aggs": {"n": {"kind": "sum", "params": {"field": "n"}}}},
            "g": {"kind": "nested", "params": {"path": "c.g"}, "aggs": {
                "y": {"kind": "sum", "params": {"field": "c.g.y"}},
                "up": {"kind": "reverse_nested", "params": {"path": "c"}, "aggs": {"x": {"kind": "sum", "params": {"field": "c.x"}}}}}}}}}}});
    for shards in
        [&[&[&docs[..]][..]][..], &[&[&docs[..1], &docs[1..]][..]][..], &[&[&docs[..2]][..], &[&docs[2..]][..]][..]]
    {
        assert_eq!(
            run(aggs.clone(), shards)["c"],
            json!({"doc_count": 3, "names": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
                {"key": "p", "doc_count": 2, "sum": {"value": 6.0}, "back": {"doc_count": 2, "n": {"value": 4.0}},
                 "g": {"doc_count": 3, "y": {"value": 10.0}, "up": {"doc_count": 2, "x": {"value": 6.0}}}},
                {"key": "q", "doc_count": 1, "sum": {"value": 2.0}, "back": {"doc_count": 1, "n": {"value": 1.0}},
                 "g": {"doc_count": 0, "y": {"value": 0.0}, "up": {"doc_count": 0, "x": {"value": 0.0}}}}]}})
        );
    }
}

#[test]
fn straight_to_the_second_level_and_without_children() {
    let docs = docs();
    let aggs = json!({"g": {"kind": "nested", "params": {"path": "c.g"}, "aggs": {"y": {"kind": "sum", "params": {"field": "c.g.y"}},
        "root": {"kind": "reverse_nested", "params": {}}}},
        "by": {"kind": "terms", "params": {"field": "k"}, "aggs": {"c": {"kind": "nested", "params": {"path": "c"}}}}});
    let found = run(aggs.clone(), &[&[&docs]]);
    assert_eq!(found["g"], json!({"doc_count": 3, "y": {"value": 10.0}, "root": {"doc_count": 2}}));
    assert_eq!(found["by"]["buckets"][0]["c"], json!({"doc_count": 3}));
    let found = run(aggs, &[&[&docs[1..2]]]);
    assert_eq!(found["g"]["doc_count"], json!(0));
    let whole = json!({"all": {"kind": "global", "params": {}}});
    assert_eq!(run(whole, &[&[&docs]])["all"]["doc_count"], json!(3));
}

#[test]
fn top_hits_of_children() {
    let docs = docs();
    let aggs = json!({"c": {"kind": "nested", "params": {"path": "c"}, "aggs": {"top": {"kind": "top_hits", "params": {
        "size": 1, "sort": [{"kind": "field", "field": "c.x", "order": "desc"}], "fetch": {"source": true}}}}}});
    let hit = &run(aggs, &[&[&docs]])["c"]["top"]["hits"]["hits"][0];
    assert_eq!(hit["_nested"], json!({"field": "c", "offset": 0}));
    assert_eq!(hit["_source"]["x"], json!(5));
}
