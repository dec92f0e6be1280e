//! Random documents in random segments and shards against a plain count over the documents.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Shard, run};

#[derive(Debug, Clone)]
struct Doc {
    k: Vec<u8>,
    n: Vec<i64>,
    d: Option<i32>,
    t: Option<i64>,
}

impl Doc {
    fn json(&self) -> Value {
        let mut doc = json!({"k": self.k.iter().map(|k| format!("k{k}")).collect::<Vec<_>>(), "n": self.n});
        if let Some(d) = self.d {
            doc["d"] = json!(f64::from(d) / 4.0);
        }
        if let Some(t) = self.t {
            doc["t"] = json!(t * 3_600_000);
        }
        doc
    }

    fn keys(&self) -> BTreeSet<String> {
        self.k.iter().map(|k| format!("k{k}")).collect()
    }
}

fn doc() -> impl Strategy<Value = Doc> {
    let k = prop::collection::vec(0u8..8, 0..3);
    let n = prop::collection::vec(-20i64..20, 0..3);
    (k, n, prop::option::of(-100i32..100), prop::option::of(395_000i64..397_000)).prop_map(|(k, n, d, t)| Doc {
        k,
        n,
        d,
        t,
    })
}

/// Shards of segments of documents.
fn shards() -> impl Strategy<Value = Vec<Vec<Vec<Doc>>>> {
    prop::collection::vec(prop::collection::vec(prop::collection::vec(doc(), 0..12), 1..4), 1..4)
}

fn answer(aggs: Value, shards: &[Vec<Vec<Doc>>]) -> Value {
    let docs: Vec<Vec<Vec<Value>>> =
        shards.iter().map(|s| s.iter().map(|docs| docs.iter().map(Doc::json).collect()).collect()).collect();
    let slices: Vec<Vec<&[Value]>> = docs.iter().map(|s| s.iter().map(Vec::as_slice).collect()).collect();
    let slices: Vec<Shard<'_>> = slices.iter().map(Vec::as_slice).collect();
    run(aggs, &slices)
}

fn all(shards: &[Vec<Vec<Doc>>]) -> Vec<&Doc> {
    shards.iter().flatten().flatten().collect()
}

/// Sums of eighths are exact in any order.
fn moments<'d>(docs: impl Iterator<Item = &'d Doc>) -> Value {
    let values: Vec<f64> = docs.filter_map(|doc| doc.d).map(|d| f64::from(d) / 4.0).collect();
    let sum: f64 = values.iter().sum();
    let bound = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).map_or(Value::Null, |v| json!(v));
    let avg = if values.is_empty() { Value::Null } else { json!(sum / values.len() as f64) };
    json!({"count": values.len(), "min": bound(f64::min), "max": bound(f64::max), "avg": avg, "sum": sum})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn terms_of_terms(shards in shards()) {
        let stats = json!({"s": {"kind": "stats", "params": {"field": "d"}}});
        let inner = json!({"n": {"kind": "terms", "params": {"field": "n", "size": 100, "order": {"_key": "asc"}}, "aggs": stats},
            "c": {"kind": "cardinality", "params": {"field": "n"}}, "v": {"kind": "value_count", "params": {"field": "n"}}});
        let aggs = json!({"k": {"kind": "terms", "params": {"field": "k", "size": 100, "missing": "k3x"}, "aggs": inner}});
        let found = answer(aggs, &shards);
        let mut groups: BTreeMap<String, Vec<&Doc>> = BTreeMap::new();
        for doc in all(&shards) {
            let keys = doc.keys();
            let keys = if keys.is_empty() { BTreeSet::from(["k3x".to_string()]) } else { keys };
            keys.into_iter().for_each(|k| groups.entry(k).or_default().push(doc));
        }
        let mut expected: Vec<(String, Vec<&Doc>)> = groups.into_iter().collect();
        expected.sort_by_key(|(_, docs)| std::cmp::Reverse(docs.len()));
        let buckets = found["k"]["buckets"].as_array().unwrap();
        prop_assert_eq!(buckets.len(), expected.len());
        for (bucket, (key, docs)) in buckets.iter().zip(&expected) {
            prop_assert_eq!(&bucket["key"], &json!(key));
            prop_assert_eq!(&bucket["doc_count"], &json!(docs.len()));
            let mut numbers: BTreeMap<i64, Vec<&Doc>> = BTreeMap::new();
            for doc in docs {
                doc.n.iter().collect::<BTreeSet<_>>().into_iter().for_each(|n| numbers.entry(*n).or_default().push(doc));
            }
            let inner: Vec<Value> = numbers.iter()
                .map(|(n, docs)| json!({"key": n, "doc_count": docs.len(), "s": moments(docs.iter().copied())}))
                .collect();
            prop_assert_eq!(&bucket["n"]["buckets"], &json!(inner));
            prop_assert_eq!(&bucket["c"]["value"], &json!(numbers.len()));
            prop_assert_eq!(&bucket["v"]["value"], &json!(docs.iter().map(|d| d.n.len()).sum::<usize>()));
        }
    }

    #[test]
    fn histograms_and_ranges(shards in shards(), interval in 1i64..9) {
        let aggs = json!({
            "h": {"kind": "histogram", "params": {"field": "n", "interval": interval, "min_doc_count": 1},
                "aggs": {"s": {"kind": "stats", "params": {"field": "d"}}}},
            "t": {"kind": "date_histogram", "params": {"field": "t", "calendar_interval": "week", "min_doc_count": 1},
                "aggs": {"k": {"kind": "cardinality", "params": {"field": "k"}}}},
            "z": {"kind": "date_histogram", "params": {"field": "t", "calendar_interval": "day", "time_zone": "Europe/Paris", "min_doc_count": 1}},
            "r": {"kind": "range", "params": {"field": "n", "ranges": [{"to": 0}, {"from": -5, "to": 5}, {"from": 5}]}},
            "m": {"kind": "missing", "params": {"field": "n"}, "aggs": {"s": {"kind": "stats", "params": {"field": "d"}}}}
        });
        let found = answer(aggs, &shards);
        let docs = all(&shards);
        let mut slots: BTreeMap<i64, Vec<&Doc>> = BTreeMap::new();
        for doc in &docs {
            let keys: BTreeSet<i64> = doc.n.iter().map(|n| n.div_euclid(interval)).collect();
            keys.into_iter().for_each(|k| slots.entry(k).or_default().push(doc));
        }
        let expected: Vec<Value> = slots.iter()
            .map(|(k, docs)| json!({"key": (k * interval) as f64, "doc_count": docs.len(), "s": moments(docs.iter().copied())}))
            .collect();
        prop_assert_eq!(&found["h"]["buckets"], &json!(expected));
        let mut weeks: BTreeMap<i64, (usize, BTreeSet<u8>)> = BTreeMap::new();
        let mut days: BTreeMap<i64, usize> = BTreeMap::new();
        for doc in &docs {
            let Some(hours) = doc.t else { continue };
            let week = weeks.entry((hours + 72).div_euclid(168) * 168 - 72).or_default();
            week.0 += 1;
            week.1.extend(&doc.k);
            // Winter time, but for the hours after 2015-03-29T01:00Z.
            let east = if hours >= 396_553 { 2 } else { 1 };
            *days.entry((hours + east).div_euclid(24)).or_default() += 1;
        }
        let got = found["t"]["buckets"].as_array().unwrap();
        prop_assert_eq!(got.len(), weeks.len());
        for (bucket, (week, (count, keys))) in got.iter().zip(&weeks) {
            prop_assert_eq!(&bucket["key"], &json!(week * 3_600_000));
            prop_assert_eq!(&bucket["doc_count"], &json!(count));
            prop_assert_eq!(&bucket["k"]["value"], &json!(keys.len()));
        }
        let got: Vec<u64> = found["z"]["buckets"].as_array().unwrap().iter().map(|b| b["doc_count"].as_u64().unwrap()).collect();
        prop_assert_eq!(got, days.values().map(|n| *n as u64).collect::<Vec<_>>());
        let inside = |test: fn(&i64) -> bool| docs.iter().filter(|d| d.n.iter().any(test)).count();
        let counts = [inside(|n| *n < 0), inside(|n| (-5..5).contains(n)), inside(|n| *n >= 5)];
        for (bucket, count) in found["r"]["buckets"].as_array().unwrap().iter().zip(counts) {
            prop_assert_eq!(&bucket["doc_count"], &json!(count));
        }
        let empty: Vec<&Doc> = docs.iter().copied().filter(|d| d.n.is_empty()).collect();
        prop_assert_eq!(&found["m"], &json!({"doc_count": empty.len(), "s": moments(empty.iter().copied())}));
    }

    #[test]
    fn shards_and_segments_do_not_change_sketches(shards in shards()) {
        let aggs = json!({"p": {"kind": "percentiles", "params": {"field": "d", "percents": [0, 50, 100]}},
            "h": {"kind": "percentiles", "params": {"field": "t", "hdr": {}}}, "c": {"kind": "cardinality", "params": {"field": "k"}}});
        let found = answer(aggs.clone(), &shards);
        let whole = vec![vec![shards.iter().flatten().flatten().cloned().collect::<Vec<Doc>>()]];
        prop_assert_eq!(&found["h"], &answer(aggs, &whole)["h"]);
        let mut values: Vec<f64> = all(&shards).iter().filter_map(|d| d.d).map(|d| f64::from(d) / 4.0).collect();
        values.sort_by(f64::total_cmp);
        let p = &found["p"]["values"];
        let bound = |v: Option<&f64>| v.map_or(Value::Null, |v| json!(v));
        prop_assert_eq!((&p["0.0"], &p["100.0"]), (&bound(values.first()), &bound(values.last())));
        let keys: BTreeSet<u8> = all(&shards).iter().flat_map(|d| d.k.clone()).collect();
        prop_assert_eq!(&found["c"]["value"], &json!(keys.len()));
    }
}
