//! A search over several shards of several nodes: statistics of all, and shards that need not be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::dfs::{self, Collected, Purpose, Scope};
use super::tests::run;
use super::{Plan, block};
use crate::mapping::Mapping;
use crate::reader::ShardReader;
use crate::testkit::{mapping, reader};

fn library() -> Arc<Mapping> {
    mapping(json!({"properties": {"t": {"type": "text"}, "k": {"type": "keyword"}, "n": {"type": "long"},
        "d": {"type": "date"}, "x": {"type": "double", "index": false}}}))
}

fn books() -> Vec<Value> {
    let titles =
        ["red fox", "red red fox jumps", "a fox", "blue fox", "red whale and a fox", "whale", "the red whale", "fax"];
    let book =
        |(n, title): (usize, &&str)| json!({"_id": n.to_string(), "t": title, "k": format!("k{}", n % 3), "n": n * 10});
    titles.iter().enumerate().map(book).collect()
}

fn plan(query: Value) -> Plan {
    Plan::parse(json!({"query": query}).to_string().as_bytes()).unwrap()
}

fn scores(reader: ShardReader, query: &Value) -> BTreeMap<String, f64> {
    let answer = run(reader, json!({"query": query}));
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_score"].as_f64().unwrap())).collect()
}

#[test]
fn shards_score_as_one_by_the_statistics_of_all() {
    let (mapping, books) = (library(), books());
    let queries = [
        json!({"term": {"field": "t", "value": "red"}}),
        json!({"term": {"field": "k", "value": "k1"}}),
        json!({"bool": {"should": [{"term": {"field": "t", "value": "whale"}}, {"term": {"field": "t", "value": "fox"}}],
            "filter": [{"term": {"field": "k", "value": "k1"}}]}}),
        json!({"phrase": {"field": "t", "terms": [[0, ["red"]], [1, ["whale"]]]}}),
    ];
    for query in queries {
        let whole = scores(reader(&mapping, &[&books]), &query);
        let parts: Vec<ShardReader> = books.chunks(3).map(|chunk| reader(&mapping, &[chunk])).collect();
        let told = parts.iter().map(|part| dfs::gather(part, &plan(query.clone())).unwrap());
        let told = told.map(|part| block::decode::<Collected>(&block::encode(&part).unwrap()).unwrap());
        let all = Arc::new(Collected::sum(told));
        let mut found = BTreeMap::new();
        let mut alone = BTreeMap::new();
        for (part, chunk) in parts.into_iter().zip(books.chunks(3)) {
            alone.extend(scores(reader(&mapping, &[chunk]), &query));
            let _scope = Scope::enter(Some(Purpose::Replace(Arc::clone(&all))));
            found.extend(scores(part, &query));
        }
        assert_eq!(found, whole, "{query}");
        assert_ne!(alone, whole, "{query}");
    }
    assert!(Purpose::current().is_none());
}

#[test]
fn a_shard_that_cannot_match_is_known_without_a_search() {
    let shard = reader(&library(), &[&books()[..2], &books()[2..4]]);
    let range = |field: &str, gte: i64, lte: i64| json!({"range": {"field": field, "gte": gte, "lte": lte}});
    let none = [
        range("n", 31, 90),
        range("n", -5, -1),
        range("n", 11, 19),
        range("x", 0, 100),
        range("unmapped", 0, 100),
        json!({"term": {"field": "k", "value": "k9"}}),
        json!({"bool": {"filter": [{"all": {}}, range("n", 31, 90)]}}),
        json!({"bool": {"should": [range("n", 31, 90), {"term": {"field": "t", "value": "whale"}}], "minimum_should_match": 1}}),
    ];
    for query in none {
        assert!(!plan(query.clone()).can_match(&shard), "{query}");
    }
    let some = [
        range("n", 30, 90),
        range("n", 10, 19),
        json!({"all": {}}),
        json!({"bool": {"must_not": [range("n", 31, 90)]}}),
        json!({"bool": {"filter": [range("n", 0, 5)], "should": [range("n", 31, 90)]}}),
    ];
    for query in some {
        assert!(plan(query.clone()).can_match(&shard), "{query}");
    }
}

#[test]
fn results_merged_in_batches_are_those_of_all_at_once() {
    let mapping = library();
    let parts: Vec<ShardReader> = books().chunks(2).map(|chunk| reader(&mapping, &[chunk])).collect();
    let aggs = json!({"k": {"kind": "terms", "params": {"field": "k", "size": 2}},
        "n": {"kind": "histogram", "params": {"field": "n", "interval": 30}}});
    let by_number = json!([{"kind": "field", "field": "n", "order": "desc"}]);
    for body in [
        json!({"query": {"all": {}}, "from": 1, "size": 3, "aggs": aggs}),
        json!({"query": {"term": {"field": "t", "value": "red"}}, "size": 2, "track_total_hits": 2}),
        json!({"query": {"all": {}}, "size": 3, "sort": by_number}),
        json!({"query": {"all": {}}, "size": 0, "aggs": aggs}),
    ] {
        let plan = Plan::parse(body.to_string().as_bytes()).unwrap();
        let found = |at: usize| (at as u32, super::query(&parts[at], &plan, None, 0).unwrap());
        let once = super::merge_page(&plan, (0..parts.len()).map(found).collect(), None).unwrap();
        let batch = super::reduce(&plan, vec![found(2), found(0)]).unwrap();
        let batch = block::decode(&block::encode(&batch).unwrap()).unwrap();
        let batch = super::reduce(&plan, vec![(9, batch), found(3)]).unwrap();
        let twice = super::merge_page(&plan, vec![(9, batch), found(1)], None).unwrap();
        assert_eq!(block::encode(&once).unwrap(), block::encode(&twice).unwrap(), "{body}");
        assert_eq!(super::fetch_refs(&once).len(), super::fetch_refs(&twice).len());
    }
}
