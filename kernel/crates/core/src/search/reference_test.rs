//! Random queries against a slow reference: every document asked one by one whether it matches.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::service::{Target, search};
use super::{Plan, service};
use crate::reader::ShardReader;
use crate::testkit::{mapping, reader};

/// The fields of a test document.
#[derive(Debug, Clone)]
struct Doc {
    text: Vec<u8>,
    tag: Option<u8>,
    number: Option<i64>,
}

fn doc() -> impl Strategy<Value = Doc> {
    (prop::collection::vec(0u8..5, 0..6), prop::option::of(0u8..3), prop::option::of(-3i64..4))
        .prop_map(|(text, tag, number)| Doc { text, tag, number })
}

#[derive(Debug, Clone)]
enum Query {
    All,
    Word(u8),
    Phrase(u8, u8),
    Tag(u8),
    Range(i64, i64),
    HasNumber,
    Bool { must: Vec<Query>, filter: Vec<Query>, should: Vec<Query>, must_not: Vec<Query>, minimum: usize },
    Best(Vec<Query>),
}

fn query() -> impl Strategy<Value = Query> {
    let leaf = prop_oneof![
        Just(Query::All),
        (0u8..6).prop_map(Query::Word),
        (0u8..5, 0u8..5).prop_map(|(a, b)| Query::Phrase(a, b)),
        (0u8..4).prop_map(Query::Tag),
        (-4i64..5, 0i64..5).prop_map(|(low, span)| Query::Range(low, low + span)),
        Just(Query::HasNumber),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            (list(), list(), prop::collection::vec(inner.clone(), 0..4), list(), 0usize..4).prop_map(
                |(must, filter, should, must_not, minimum)| { Query::Bool { must, filter, should, must_not, minimum } }
            ),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::Best),
        ]
    })
}

fn word(n: u8) -> String {
    format!("w{n}")
}

impl Query {
    fn op(&self) -> Value {
        let ops = |list: &[Query]| list.iter().map(Query::op).collect::<Vec<_>>();
        match self {
            Query::All => json!({"all": {}}),
            Query::Word(n) => json!({"term": {"field": "text", "value": word(*n)}}),
            Query::Phrase(a, b) => json!({"phrase": {"field": "text", "terms": [[0, [word(*a)]], [1, [word(*b)]]]}}),
            Query::Tag(n) => json!({"terms": {"field": "tag", "values": [word(*n)]}}),
            Query::Range(low, high) => json!({"range": {"field": "number", "gte": low, "lt": high}}),
            Query::HasNumber => json!({"exists": {"field": "number"}}),
            Query::Bool { must, filter, should, must_not, minimum } => json!({"bool": {
                "must": ops(must), "filter": ops(filter), "should": ops(should), "must_not": ops(must_not), "minimum_should_match": minimum}}),
            Query::Best(queries) => json!({"dis_max": {"queries": ops(queries), "tie_breaker": 0.5}}),
        }
    }

    fn matches(&self, doc: &Doc) -> bool {
        let all = |list: &[Query]| list.iter().all(|query| query.matches(doc));
        let any = |list: &[Query]| list.iter().any(|query| query.matches(doc));
        match self {
            Query::All => true,
            Query::Word(n) => doc.text.contains(n),
            Query::Phrase(a, b) => doc.text.windows(2).any(|pair| pair == [*a, *b]),
            Query::Tag(n) => doc.tag == Some(*n),
            Query::Range(low, high) => doc.number.is_some_and(|number| (*low..*high).contains(&number)),
            Query::HasNumber => doc.number.is_some(),
            // Without any clause it matches everything, as in OpenSearch.
            Query::Bool { must, filter, should, must_not, .. }
                if must.is_empty() && filter.is_empty() && should.is_empty() && must_not.is_empty() =>
            {
                true
            }
            Query::Bool { must, filter, should, must_not, minimum } => {
                let required = must.len() + filter.len() > 0;
                let minimum = if required || should.is_empty() { *minimum } else { (*minimum).max(1) };
                let found = should.iter().filter(|query| query.matches(doc)).count();
                all(must) && all(filter) && !any(must_not) && found >= minimum
            }
            Query::Best(queries) => any(queries),
        }
    }
}

fn shard(docs: &[Doc], segments: usize) -> ShardReader {
    let mapping = mapping(
        json!({"properties": {"text": {"type": "text"}, "tag": {"type": "keyword"}, "number": {"type": "long"}}}),
    );
    let docs: Vec<Value> = docs
        .iter()
        .map(|doc| {
            let text: Vec<String> = doc.text.iter().copied().map(word).collect();
            let mut value = json!({"text": text.join(" ")});
            if let Some(tag) = doc.tag {
                value["tag"] = word(tag).into();
            }
            if let Some(number) = doc.number {
                value["number"] = number.into();
            }
            value
        })
        .collect();
    let size = docs.len().div_ceil(segments).max(1);
    let parts: Vec<&[Value]> = docs.chunks(size).collect();
    reader(&mapping, &parts)
}

fn hits(shard: &std::sync::Arc<ShardReader>, plan: Value) -> (u64, Vec<(usize, Option<f64>)>) {
    let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
    let target = Target { index: "i".into(), shard: 0, node: "n".into(), reader: shard.clone(), plan: None };
    let outcome = search(&[target], &plan, None).unwrap();
    let body: Value = serde_json::from_str(&format!("{{{}}}", String::from_utf8(outcome.body).unwrap())).unwrap();
    let hits = body["hits"]["hits"].as_array().unwrap();
    let found =
        hits.iter().map(|hit| (hit["_id"].as_str().unwrap().parse().unwrap(), hit["_score"].as_f64())).collect();
    (outcome.total, found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn searches_find_what_a_scan_finds(docs in prop::collection::vec(doc(), 1..60), query in query(), segments in 1usize..4, size in 1usize..20) {
        let expected: Vec<usize> = docs.iter().enumerate().filter(|(_, doc)| query.matches(doc)).map(|(at, _)| at).collect();
        let shard = std::sync::Arc::new(shard(&docs, segments));
        let all = json!({"query": query.op(), "size": 100, "track_total_hits": true});

        // By score: all matches, best first, equals in the order of documents.
        let (total, scored) = hits(&shard, all);
        prop_assert_eq!(total as usize, expected.len());
        let mut found: Vec<usize> = scored.iter().map(|(id, _)| *id).collect();
        for pair in scored.windows(2) {
            prop_assert!(pair[0].1 > pair[1].1 || (pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0));
        }
        found.sort_unstable();
        prop_assert_eq!(&found, &expected);

        // A page is the beginning of that list, however it is found.
        for track in [json!(false), json!(1), json!(true)] {
            let (_, page) = hits(&shard, json!({"query": query.op(), "size": size, "track_total_hits": track}));
            prop_assert_eq!(&page[..], &scored[..size.min(scored.len())]);
        }

        // In filter context and sorted by a column.
        let filtered = json!({"query": {"bool": {"filter": [query.op()]}}, "size": 100, "sort": [{"kind": "field", "field": "number", "order": "desc"}]});
        let (_, sorted) = hits(&shard, filtered);
        let mut by_number = expected.clone();
        by_number.sort_by_key(|at| std::cmp::Reverse(docs[*at].number.unwrap_or(i64::MIN)));
        prop_assert_eq!(sorted.iter().map(|(id, _)| *id).collect::<Vec<_>>(), by_number.clone());
        let range = json!({"query": {"range": {"field": "number", "gte": -2}}, "size": size, "sort": [{"kind": "field", "field": "number", "order": "asc"}]});
        let mut in_range: Vec<usize> = (0..docs.len()).filter(|at| docs[*at].number.is_some_and(|number| number >= -2)).collect();
        in_range.sort_by_key(|at| docs[*at].number);
        let (total, sorted) = hits(&shard, range);
        prop_assert_eq!(total as usize, in_range.len());
        in_range.truncate(size);
        prop_assert_eq!(sorted.iter().map(|(id, _)| *id).collect::<Vec<_>>(), in_range);

        // Counting, and explanations that agree with scores.
        let plan = Plan::parse(json!({"query": query.op()}).to_string().as_bytes()).unwrap();
        prop_assert_eq!(service::count(&[shard.clone()], &plan).unwrap() as usize, expected.len());
        for (id, score) in scored.iter().take(3) {
            let explained: Value = serde_json::from_slice(&service::explain(&shard, &plan, &id.to_string()).unwrap().unwrap()).unwrap();
            let value = explained["explanation"]["value"].as_f64().unwrap();
            prop_assert!((value - score.unwrap()).abs() < 1e-5, "{explained}");
        }
    }
}

/// Texts of skewed lengths and frequencies, enough of them for several blocks of postings.
fn many(count: usize, seed: u64) -> Vec<Value> {
    let mut state = seed | 1;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..count)
        .map(|at| {
            let mut words: Vec<String> = Vec::new();
            for _ in 0..next(6) {
                words.push("often".to_owned());
            }
            for _ in 0..next(1 + (at as u64 / 300) * 20) {
                words.push(word(next(9) as u8));
            }
            let keys: Vec<String> = (0..next(3)).map(|_| format!("k{}", next(5000))).collect();
            json!({"text": words.join(" "), "tag": keys, "number": at})
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_a_term_are_those_of_a_scan(seed in any::<u64>(), split in 1usize..1900, from in 0usize..900, size in 1usize..40) {
        let mapping = mapping(json!({"properties": {"text": {"type": "text"}, "tag": {"type": "keyword"}, "number": {"type": "long"}}}));
        let docs = many(2000, seed);
        let shard = std::sync::Arc::new(reader(&mapping, &[&docs[..split], &docs[split..]]));
        let term = json!({"term": {"field": "text", "value": "often"}});
        // With a filter there is no pruning: every match is scored and sorted in.
        let scanned = json!({"bool": {"must": [term], "filter": [{"range": {"field": "number", "gte": 0}}]}});
        let page = |query: &Value| hits(&shard, json!({"query": query, "from": from, "size": size, "track_total_hits": true}));
        prop_assert_eq!(page(&term), page(&scanned));
    }

    #[test]
    fn distinct_values_of_a_whole_segment_are_those_of_its_documents(seed in any::<u64>(), split in 1usize..5900) {
        let mapping = mapping(json!({"properties": {"text": {"type": "text"}, "tag": {"type": "keyword"}, "number": {"type": "long"}}}));
        let docs = many(6000, seed);
        let shard = std::sync::Arc::new(reader(&mapping, &[&docs[..split], &docs[split..]]));
        let aggs = json!({"c": {"kind": "cardinality", "params": {"field": "tag"}}});
        let body = |query: Value| {
            let plan = json!({"query": query, "size": 0, "aggs": aggs, "track_total_hits": true});
            let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
            let target = Target { index: "i".into(), shard: 0, node: "n".into(), reader: shard.clone(), plan: None };
            String::from_utf8(search(&[target], &plan, None).unwrap().body).unwrap()
        };
        prop_assert_eq!(body(json!({"all": {}})), body(json!({"bool": {"filter": [{"range": {"field": "number", "gte": 0}}, {"all": {}}]}})));
    }
}

#[test]
fn a_minimum_without_optional_clauses_matches_nothing() {
    let doc = Doc { text: vec![], tag: None, number: Some(0) };
    let shard = std::sync::Arc::new(shard(&[doc], 1));
    let query = json!({"bool": {"must": [{"exists": {"field": "number"}}], "minimum_should_match": 1}});
    for track in [json!(false), json!(true)] {
        assert_eq!(hits(&shard, json!({"query": query, "size": 1, "track_total_hits": track})), (0, vec![]));
    }
}

#[test]
fn a_plan_that_walks_a_dictionary_is_not_bound_for_its_cost() {
    let mapping = mapping(json!({"properties": {"tag": {"type": "keyword"}}}));
    let docs: Vec<Value> = (0..300).map(|at| json!({"tag": format!("k{at:03}")})).collect();
    let shard = [std::sync::Arc::new(reader(&mapping, &[&docs[..100], &docs[100..]]))];
    let cost = |query: Value| Plan::parse(json!({"query": query}).to_string().as_bytes()).unwrap().cost(&shard);
    assert_eq!(cost(json!({"prefix": {"field": "tag", "value": "k12"}})), 10);
    assert_eq!(cost(json!({"prefix": {"field": "tag", "value": "k"}})), 300 * 64);
    assert_eq!(cost(json!({"prefix": {"field": "tag", "value": "x"}})), 0);
    assert_eq!(cost(json!({"prefix": {"field": "none", "value": "x"}})), 0);
    let fuzzy = json!({"fuzzy": {"field": "tag", "value": "k001", "edits": 1}});
    assert_eq!(cost(json!({"bool": {"must": [{"const": {"query": fuzzy}}]}})), 22);
    let many: Vec<Value> = (0..3000).map(|at| json!({"tag": format!("k{at:04}")})).collect();
    let shard = [std::sync::Arc::new(reader(&mapping, &[&many]))];
    let cost = |query: Value| Plan::parse(json!({"query": query}).to_string().as_bytes()).unwrap().cost(&shard);
    let fuzzy = |edits: u8| json!({"fuzzy": {"field": "tag", "value": "k0001", "edits": edits}});
    assert_eq!(cost(json!({"bool": {"must": [{"const": {"query": fuzzy(1)}}]}})), 8_000);
    assert_eq!(cost(json!({"bool": {"must": [{"const": {"query": fuzzy(2)}}]}})), 12_000);
    assert_eq!(cost(json!({"wildcard": {"field": "tag", "value": "*1"}})), 12_000);
}
