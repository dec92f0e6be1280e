//! Whole searches over small shards.

use serde_json::{Value, json};

use super::service::{Target, search};
use super::{Plan, service};
use crate::reader::ShardReader;
use crate::testkit::{mapping, reader};

pub(super) fn shop() -> ShardReader {
    let mapping = mapping(json!({"properties": {
        "title": {"type": "text"},
        "tag": {"type": "keyword"},
        "price": {"type": "double"},
        "stock": {"type": "integer"},
        "day": {"type": "date"},
        "on": {"type": "boolean"},
        "ip": {"type": "ip"},
        "weight": {"type": "scaled_float", "scaling_factor": 100},
    }}));
    let first = [
        json!({"_id": "a", "title": "quick brown fox", "tag": ["x", "y"], "price": 1.5, "stock": 3, "day": "2024-01-01", "on": true, "ip": "10.0.0.1"}),
        json!({"_id": "b", "title": "quick quick red fox jumps", "tag": "x", "price": 2.5, "stock": 1, "day": "2024-01-03", "on": false, "weight": 1.25}),
    ];
    let second = [
        json!({"_id": "c", "title": "lazy dog", "tag": "z", "stock": 7, "day": "2024-01-02", "ip": "10.0.0.9"}),
        json!({"_id": "d", "title": "the quick lazy dog", "price": 0.5, "weight": 3.5, "_routing": "r1"}),
    ];
    reader(&mapping, &[&first, &second])
}

pub(super) fn run(reader: ShardReader, plan: Value) -> Value {
    let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
    let target = Target { index: "shop".into(), shard: 0, node: "n".into(), reader: reader.into(), plan: None };
    let outcome = search(&[target], &plan, None).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    let body = format!("{{{}}}", String::from_utf8(outcome.body).unwrap());
    serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

pub(super) fn ids(answer: &Value) -> String {
    answer["hits"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["_id"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("")
}

fn found(query: Value) -> String {
    let mut ids: Vec<char> = ids(&run(shop(), json!({"query": query}))).chars().collect();
    ids.sort_unstable();
    ids.into_iter().collect()
}

fn sorted(sort: Value) -> String {
    ids(&run(shop(), json!({"sort": sort})))
}

#[test]
fn scores_are_lucenes() {
    let answer = run(shop(), json!({"query": {"term": {"field": "title", "value": "quick"}}}));
    assert_eq!(answer["hits"]["total"], json!({"value": 3, "relation": "eq"}));
    assert_eq!(ids(&answer), "bad");
    // N = 4, n = 3, avgdl = 14 / 4.
    let idf = (1.0f64 + 1.5 / 3.5).ln();
    for (at, (tf, dl)) in [(2.0, 5.0), (1.0, 3.0), (1.0, 4.0)].into_iter().enumerate() {
        let expected = idf * tf / (tf + 1.2 * (0.25 + 0.75 * dl / 3.5));
        let score = answer["hits"]["hits"][at]["_score"].as_f64().unwrap();
        assert!((score - expected).abs() < 1e-6, "{score} {expected}");
    }
    assert_eq!(answer["hits"]["max_score"], answer["hits"]["hits"][0]["_score"]);
}

#[test]
fn keyword_terms_score_without_norms() {
    let answer = run(shop(), json!({"query": {"term": {"field": "tag", "value": "z"}}}));
    // N = 3 documents with the field, n = 1, avgdl = 4 / 3.
    let expected = (1.0f64 + 2.5 / 1.5).ln() / (1.0 + 1.2 * (0.25 + 0.75 * 3.0 / 4.0));
    assert!((answer["hits"]["hits"][0]["_score"].as_f64().unwrap() - expected).abs() < 1e-6);
}

#[test]
fn operations_find() {
    let cases = [
        (json!({"all": {}}), "abcd"),
        (json!({"none": {}}), ""),
        (json!({"term": {"field": "tag", "value": "x"}}), "ab"),
        (json!({"term": {"field": "stock", "value": 7}}), "c"),
        (json!({"term": {"field": "price", "value": 2.5}}), "b"),
        (json!({"term": {"field": "weight", "value": 1.25}}), "b"),
        (json!({"term": {"field": "on", "value": true}}), "a"),
        (json!({"term": {"field": "ip", "value": "10.0.0.1"}}), "a"),
        (json!({"term": {"field": "nowhere", "value": 1}}), ""),
        (json!({"terms": {"field": "tag", "values": ["y", "z"]}}), "ac"),
        (json!({"range": {"field": "stock", "gt": 1, "lte": 7}}), "ac"),
        (json!({"range": {"field": "stock", "gte": 1.5}}), "ac"),
        (json!({"range": {"field": "price", "lt": 2.5}}), "ad"),
        (json!({"range": {"field": "weight", "gt": 1.25}}), "d"),
        (json!({"range": {"field": "day", "gte": 1_704_153_600_000i64}}), "bc"),
        (json!({"range": {"field": "tag", "gt": "x"}}), "ac"),
        (json!({"range": {"field": "ip", "gt": "10.0.0.1", "lte": "10.0.0.255"}}), "c"),
        (json!({"exists": {"field": "price"}}), "abd"),
        (json!({"exists": {"field": "title"}}), "abcd"),
        (json!({"exists": {"field": "tag"}}), "abc"),
        (json!({"ids": {"values": ["a", "d", "nobody"]}}), "ad"),
        (json!({"phrase": {"field": "title", "terms": [[0, ["lazy"]], [1, ["dog"]]]}}), "cd"),
        (json!({"phrase": {"field": "title", "terms": [[0, ["quick"]], [1, ["fox"]]]}}), ""),
        (json!({"phrase": {"field": "title", "terms": [[0, ["quick"]], [1, ["fox"]]], "slop": 1}}), "ab"),
        (json!({"phrase": {"field": "title", "terms": [[0, ["quick"]], [1, ["brown", "red"]]]}}), "ab"),
        (json!({"phrase_prefix": {"field": "title", "terms": [[0, ["quick"]], [1, ["b"]]]}}), "a"),
        (
            json!({"bool": {"must": [{"term": {"field": "title", "value": "quick"}}], "must_not": [{"term": {"field": "tag", "value": "y"}}]}}),
            "bd",
        ),
        (
            json!({"bool": {"should": [{"term": {"field": "title", "value": "fox"}}, {"term": {"field": "title", "value": "dog"}}]}}),
            "abcd",
        ),
        (
            json!({"bool": {"should": [{"term": {"field": "title", "value": "quick"}}, {"term": {"field": "title", "value": "dog"}}, {"term": {"field": "tag", "value": "x"}}], "minimum_should_match": 2}}),
            "abd",
        ),
        (json!({"bool": {"must_not": [{"all": {}}]}}), ""),
        (json!({"bool": {"must_not": [{"exists": {"field": "price"}}]}}), "c"),
        (json!({"const": {"query": {"term": {"field": "title", "value": "dog"}}, "boost": 3.0}}), "cd"),
        (
            json!({"dis_max": {"queries": [{"term": {"field": "title", "value": "fox"}}, {"term": {"field": "tag", "value": "z"}}]}}),
            "abc",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(found(query.clone()), expected, "{query}");
    }
}

#[test]
fn sorting() {
    let field = |field: &str, order: &str| json!({"kind": "field", "field": field, "order": order});
    assert_eq!(sorted(json!([field("stock", "asc")])), "bacd");
    assert_eq!(sorted(json!([field("stock", "desc")])), "cabd");
    assert_eq!(sorted(json!([field("price", "desc")])), "badc");
    assert_eq!(sorted(json!([field("tag", "asc"), field("stock", "asc")])), "bacd");
    assert_eq!(sorted(json!([field("tag", "desc"), field("stock", "asc")])), "cabd");
    assert_eq!(
        sorted(json!([{"kind": "field", "field": "tag", "order": "asc", "missing": "_first"}, field("stock", "asc")])),
        "dbac"
    );
    assert_eq!(sorted(json!([{"kind": "field", "field": "price", "order": "asc", "missing": 2.0}])), "dacb");
    assert_eq!(sorted(json!([{"kind": "doc", "order": "desc"}])), "dcba");
    assert_eq!(sorted(json!([{"kind": "field", "field": "nowhere", "order": "asc", "unmapped_type": "long"}])), "abcd");
    let answer =
        run(shop(), json!({"sort": [field("tag", "asc"), field("stock", "asc")], "search_after": ["x", 1], "size": 2}));
    assert_eq!(ids(&answer), "ac");
    assert_eq!(answer["hits"]["hits"][0]["sort"], json!(["x", 3]));
    assert_eq!(answer["hits"]["max_score"], Value::Null);
    let answer = run(shop(), json!({"sort": [field("price", "asc")]}));
    assert_eq!(answer["hits"]["hits"][3]["sort"], json!(["Infinity"]));
}

#[test]
fn totals_pages_and_filters() {
    let answer = run(shop(), json!({"track_total_hits": 2, "from": 1, "size": 1}));
    assert_eq!(answer["hits"]["total"], json!({"value": 2, "relation": "gte"}));
    assert_eq!(ids(&answer), "b");
    let answer = run(shop(), json!({"track_total_hits": false, "size": 1}));
    assert_eq!(answer["hits"].get("total"), None);
    let answer = run(shop(), json!({"post_filter": {"term": {"field": "tag", "value": "x"}}, "total_as_int": true}));
    assert_eq!((ids(&answer).as_str(), &answer["hits"]["total"]), ("ab", &json!(2)));
    let answer = run(shop(), json!({"query": {"term": {"field": "title", "value": "quick"}}, "min_score": 0.18}));
    assert_eq!(ids(&answer), "b");
}

#[test]
fn hits_carry_what_was_asked() {
    let answer = run(
        shop(),
        json!({"query": {"bool": {"should": [{"ids": {"values": ["d"], "_name": "one"}}, {"all": {"_name": "two"}}]}}, "size": 1,
               "fetch": {"source": {"includes": ["price"]}, "version": true, "seq_no_primary_term": true}}),
    );
    let expected = json!({"_index": "shop", "_id": "d", "_version": 1, "_seq_no": 3, "_primary_term": 1, "_score": 2.0,
        "_routing": "r1", "_source": {"price": 0.5}, "matched_queries": ["one", "two"]});
    assert_eq!(answer["hits"]["hits"][0], expected);
    assert_eq!(answer["hits"]["hits"][0].to_string(), expected.to_string());
}

#[test]
fn explanations_add_up() {
    let plan = Plan::parse(json!({"query": {"bool": {"must": [{"term": {"field": "title", "value": "quick"}}], "filter": [{"exists": {"field": "price"}}]}}}).to_string().as_bytes()).unwrap();
    let explained: Value = serde_json::from_slice(&service::explain(&shop(), &plan, "b").unwrap().unwrap()).unwrap();
    assert_eq!(explained["matched"], true);
    let answer = run(shop(), json!({"query": {"term": {"field": "title", "value": "quick"}}}));
    assert_eq!(explained["explanation"]["value"], answer["hits"]["hits"][0]["_score"]);
    let explained: Value = serde_json::from_slice(&service::explain(&shop(), &plan, "c").unwrap().unwrap()).unwrap();
    assert_eq!(explained["matched"], false);
    assert!(service::explain(&shop(), &plan, "nobody").unwrap().is_none());
}

#[test]
fn unknown_parts_of_a_plan_are_refused() {
    for plan in [r#"{"query":{"magic":{}}}"#, r#"{"query":{"term":{"field":"a","value":1,"x":2}}}"#, r#"{"sise":1}"#] {
        assert_eq!(Plan::parse(plan.as_bytes()).unwrap_err().kind, "parsing_exception");
    }
}

#[test]
fn scrolls_reach_every_document_once() {
    for sort in [json!(null), json!([{"kind": "doc"}]), json!([{"kind": "field", "field": "on", "order": "asc"}])] {
        let plan = json!({"query": {"all": {}}, "sort": sort, "size": 3, "scroll": true}).to_string();
        let plan = Plan::parse(plan.as_bytes()).unwrap();
        let target = || Target { index: "shop".into(), shard: 0, node: "n".into(), reader: shop().into(), plan: None };
        let targets = [target(), target()];
        let (mut cursor, mut seen) = (None::<Vec<u8>>, Vec::new());
        loop {
            let outcome = search(&targets, &plan, cursor.as_deref()).unwrap();
            assert_eq!(outcome.total, 8);
            let body: Value =
                serde_json::from_str(&format!("{{{}}}", String::from_utf8(outcome.body).unwrap())).unwrap();
            let page = ids(&body);
            if page.is_empty() {
                break;
            }
            seen.extend(page.chars());
            cursor = outcome.scroll;
        }
        seen.sort_unstable();
        assert_eq!(seen, ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd'], "{sort}");
    }
}

fn family() -> ShardReader {
    let mapping = mapping(json!({"properties": {
        "name": {"type": "text"},
        "kids": {"type": "nested", "properties": {
            "name": {"type": "keyword"}, "age": {"type": "integer"},
            "toys": {"type": "nested", "properties": {"what": {"type": "keyword"}}},
        }},
    }}));
    let docs = [
        json!({"_id": "a", "name": "ann", "kids": [{"name": "x", "age": 3, "toys": [{"what": "car"}]}, {"name": "y", "age": 9}]}),
        json!({"_id": "b", "name": "bob"}),
        json!({"_id": "c", "name": "cid", "kids": {"name": "x", "age": 5, "toys": [{"what": "ball"}, {"what": "car"}]}}),
    ];
    reader(&mapping, &[&docs])
}

#[test]
fn patterns_fuzzy_synonyms_and_functions() {
    let term = |value: &str| json!({"term": {"field": "title", "value": value}});
    let cases = [
        (json!({"prefix": {"field": "title", "value": "qu"}}), "abd"),
        (json!({"prefix": {"field": "title", "value": "QU", "case_insensitive": true}}), "abd"),
        (json!({"wildcard": {"field": "title", "value": "*o?"}}), "abcd"),
        (json!({"wildcard": {"field": "tag", "value": "?"}}), "abc"),
        (json!({"regexp": {"field": "title", "value": "r.d|la[yz]+"}}), "bcd"),
        (json!({"fuzzy": {"field": "title", "value": "qiuck", "edits": 1}}), "abd"),
        (json!({"fuzzy": {"field": "title", "value": "dig", "edits": 1, "prefix_length": 2}}), ""),
        (json!({"fuzzy": {"field": "tag", "value": "xx", "edits": 1, "constant": true}}), "ab"),
        (json!({"synonyms": {"field": "title", "terms": ["fox", "dog"]}}), "abcd"),
        (
            json!({"blended": {"terms": [{"field": "title", "value": "fox"}, {"field": "tag", "value": "z"}], "tie_breaker": 0.0}}),
            "abc",
        ),
        (json!({"boosting": {"positive": term("quick"), "negative": term("lazy"), "negative_boost": 0.5}}), "abd"),
        (
            json!({"function_score": {"query": {"all": {}}, "functions": [{"weight": 3.0, "filter": term("fox")}], "min_score": 2.0}}),
            "ab",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(found(query.clone()), expected, "{query}");
    }
}

#[test]
fn functions_change_scores() {
    let score = |function: Value, boost_mode: &str| {
        let query = json!({"function_score": {"query": {"ids": {"values": ["b"], "boost": 2.0}}, "functions": [function], "boost_mode": boost_mode}});
        run(shop(), json!({"query": query}))["hits"]["hits"][0]["_score"].as_f64().unwrap()
    };
    assert_eq!(score(json!({"weight": 3.0}), "multiply"), 6.0);
    assert_eq!(score(json!({"weight": 3.0}), "sum"), 5.0);
    assert_eq!(score(json!({"field_value_factor": {"field": "price", "factor": 2.0}}), "replace"), 5.0);
    assert_eq!(score(json!({"field_value_factor": {"field": "weight", "modifier": "square"}}), "replace"), 1.5625);
    let decay = json!({"decay": {"kind": "linear", "field": "stock", "origin": 3, "scale": 4, "decay": 0.5}});
    assert_eq!(score(decay, "replace"), 0.75);
    let random = score(json!({"random_score": {"seed": 7}}), "replace");
    assert!((0.0..1.0).contains(&random));
}

#[test]
fn nested_documents_join_their_parents() {
    let found = |query: Value| ids(&run(family(), json!({"query": query, "sort": [{"kind": "doc"}]})));
    assert_eq!(found(json!({"all": {}})), "abc");
    assert_eq!(found(json!({"term": {"field": "kids.name", "value": "x"}})), "");
    let kid = |query: Value| json!({"nested": {"path": "kids", "query": query}});
    assert_eq!(found(kid(json!({"term": {"field": "kids.name", "value": "x"}}))), "ac");
    let both = |name: &str, age: i32| json!({"bool": {"must": [{"term": {"field": "kids.name", "value": name}}, {"term": {"field": "kids.age", "value": age}}]}});
    assert_eq!(found(kid(both("x", 3))), "a");
    assert_eq!(found(kid(both("x", 9))), "");
    assert_eq!(found(json!({"bool": {"must_not": [kid(json!({"all": {}}))]}})), "b");
    let toy = |what: &str| json!({"nested": {"path": "kids.toys", "query": {"term": {"field": "kids.toys.what", "value": what}}}});
    assert_eq!(found(toy("car")), "ac");
    assert_eq!(found(kid(toy("ball"))), "c");
    let sorted = |order: &str| {
        let key = json!([{"kind": "field", "field": "kids.age", "order": order, "nested": {"path": "kids"}}]);
        ids(&run(family(), json!({"sort": key})))
    };
    assert_eq!(sorted("asc"), "acb");
    assert_eq!(sorted("desc"), "acb");
    let scored = json!({"nested": {"path": "kids", "query": {"function_score": {"query": {"all": {}}, "functions": [{"field_value_factor": {"field": "kids.age"}}], "boost_mode": "replace"}}, "score_mode": "avg"}});
    let answer = run(family(), json!({"query": scored}));
    assert_eq!((ids(&answer).as_str(), &answer["hits"]["max_score"]), ("ac", &json!(6.0)));
    let plan = Plan::parse(json!({"query": {"all": {}}}).to_string().as_bytes()).unwrap();
    assert_eq!(service::count(&[family().into()], &plan).unwrap(), 3);
}

#[test]
fn fields_in_many_forms() {
    let answer = run(
        shop(),
        json!({"query": {"ids": {"values": ["a"]}}, "fetch": {"source": false, "docvalue_fields": [{"field": "day", "format": "yyyy"}, {"field": "tag"}, {"field": "price"}],
               "fields": [{"field": "stock"}, {"field": "ip"}, {"field": "title"}]}}),
    );
    let fields = &answer["hits"]["hits"][0]["fields"];
    assert_eq!(
        fields,
        &json!({"day": ["2024"], "tag": ["x", "y"], "price": [1.5], "stock": [3], "ip": ["10.0.0.1"], "title": ["quick brown fox"]})
    );
    let answer = run(
        family(),
        json!({"query": {"ids": {"values": ["a"]}}, "fetch": {"fields": [{"field": "kids.name"}, {"field": "kids.toys.what"}]}}),
    );
    let expected = json!({"kids.name": ["x", "y"], "kids.toys.what": ["car"]});
    assert_eq!(answer["hits"]["hits"][0]["fields"], expected);
}

#[test]
fn inner_hits_show_nested_documents() {
    let toys = json!({"nested": {"path": "kids.toys", "query": {"term": {"field": "kids.toys.what", "value": "car"}}, "inner_hits": {}}});
    let query = json!({"nested": {"path": "kids", "query": toys, "score_mode": "none", "inner_hits": {"name": "k", "fetch": {"source": {"includes": ["kids.name"]}}}}});
    let answer = run(family(), json!({"query": query}));
    assert_eq!(ids(&answer), "ac");
    let inner = &answer["hits"]["hits"][0]["inner_hits"]["k"]["hits"];
    assert_eq!(inner["total"]["value"], 1);
    assert_eq!(inner["hits"][0]["_nested"], json!({"field": "kids", "offset": 0}));
    assert_eq!(inner["hits"][0]["_source"], json!({"name": "x"}));
    let innermost =
        &answer["hits"]["hits"][1]["inner_hits"]["k"]["hits"]["hits"][0]["inner_hits"]["kids.toys"]["hits"]["hits"][0];
    assert_eq!(innermost["_nested"], json!({"field": "kids", "offset": 0, "_nested": {"field": "toys", "offset": 1}}));
    assert_eq!(innermost["_source"], json!({"what": "car"}));
    assert_eq!(innermost["_id"], "c");
}

#[test]
fn highlights_come_from_the_source() {
    let field = |options: Value| {
        let mut field = json!({"name": "title"});
        field.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let query = json!({"bool": {"should": [{"term": {"field": "title", "value": "quick"}}, {"phrase": {"field": "title", "terms": [[0, ["red"]], [1, ["fox"]]]}}, {"term": {"field": "tag", "value": "jumps"}}]}});
        let answer = run(shop(), json!({"query": query, "fetch": {"highlight": {"fields": [field]}}}));
        answer["hits"]["hits"].as_array().unwrap().iter().find(|hit| hit["_id"] == "b").unwrap()["highlight"]["title"]
            .clone()
    };
    let expected = json!(["<em>quick</em> <em>quick</em> <em>red</em> <em>fox</em> jumps"]);
    assert_eq!(field(json!({})), expected);
    assert_eq!(field(json!({"type": "plain"})), expected);
    assert_eq!(
        field(json!({"require_field_match": false, "pre_tags": ["["], "post_tags": ["]"]})),
        json!(["[quick] [quick] [red] [fox] [jumps]"])
    );
}

#[test]
fn aggregations_ride_along() {
    let aggs = json!({"tags": {"kind": "terms", "params": {"field": "tag"}, "aggs": {"cheap": {"kind": "filter", "params": {"filter": {"range": {"field": "price", "lt": 2}}}}}}});
    let answer = run(shop(), json!({"query": {"exists": {"field": "tag"}}, "size": 0, "aggs": aggs}));
    let buckets = answer["aggregations"]["tags"]["buckets"].as_array().unwrap();
    let shown: Vec<(&str, u64, u64)> = buckets
        .iter()
        .map(|bucket| {
            (
                bucket["key"].as_str().unwrap(),
                bucket["doc_count"].as_u64().unwrap(),
                bucket["cheap"]["doc_count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(shown, [("x", 2, 1), ("y", 1, 1), ("z", 1, 0)]);
    assert_eq!(answer["hits"]["total"]["value"], 3);
}
