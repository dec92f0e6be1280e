//! Each aggregation against answers that OpenSearch gives.

use serde_json::{Value, json};

use super::{fails, one, run, run_with};

fn numbers() -> Vec<Value> {
    [1, 51, 101, 151].map(|n| json!({"n": n, "d": n as f64 / 2.0, "k": format!("k{}", n % 3)})).to_vec()
}

#[test]
fn metrics() {
    let docs = numbers();
    assert_eq!(one("avg", json!({"field": "n"}), &docs), json!({"value": 76.0}));
    assert_eq!(one("sum", json!({"field": "d"}), &docs), json!({"value": 152.0}));
    assert_eq!(one("min", json!({"field": "n"}), &docs), json!({"value": 1.0}));
    assert_eq!(
        one("max", json!({"field": "n", "format": "0.00"}), &docs),
        json!({"value": 151.0, "value_as_string": "151.00"})
    );
    assert_eq!(one("value_count", json!({"field": "k"}), &docs), json!({"value": 4}));
    assert_eq!(one("avg", json!({"field": "nope"}), &docs), json!({"value": null}));
    assert_eq!(one("sum", json!({"field": "nope"}), &docs), json!({"value": 0.0}));
    assert_eq!(one("max", json!({"field": "n"}), &[]), json!({"value": null}));
    assert_eq!(one("avg", json!({"field": "n", "missing": 4}), &[json!({"n": 2}), json!({})]), json!({"value": 3.0}));
    assert_eq!(
        one("stats", json!({"field": "n"}), &docs),
        json!({"count": 4, "min": 1.0, "max": 151.0, "avg": 76.0, "sum": 304.0})
    );
    assert_eq!(
        one("extended_stats", json!({"field": "n"}), &docs),
        json!({"count": 4, "min": 1.0, "max": 151.0, "avg": 76.0, "sum": 304.0, "sum_of_squares": 35604.0, "variance": 3125.0,
            "variance_population": 3125.0, "variance_sampling": 4166.666666666667, "std_deviation": 55.90169943749474,
            "std_deviation_population": 55.90169943749474, "std_deviation_sampling": 64.54972243679029,
            "std_deviation_bounds": {"upper": 187.80339887498948, "lower": -35.80339887498948, "upper_population": 187.80339887498948,
                "lower_population": -35.80339887498948, "upper_sampling": 205.09944487358058, "lower_sampling": -53.09944487358058}})
    );
    assert_eq!(
        fails("avg", json!({"field": "k"}), &docs).reason,
        "Field [k] of type [keyword] is not supported for aggregation [avg]"
    );
    assert!(fails("terms", json!({"field": "text"}), &docs).reason.starts_with("Text fields are not optimised"));
}

#[test]
fn metrics_of_other_kinds() {
    let docs = [
        json!({"t": "2024-01-01T00:00:00Z", "tn": "2024-01-01T00:00:00.123456789Z", "b": true, "s": 1.25, "u": 18446744073709551615u64}),
        json!({"b": false, "s": [1.5, 2.5]}),
    ];
    assert_eq!(
        one("max", json!({"field": "t"}), &docs),
        json!({"value": 1704067200000.0, "value_as_string": "2024-01-01T00:00:00.000Z"})
    );
    assert_eq!(one("max", json!({"field": "tn"}), &docs)["value"], json!(1704067200123.0));
    assert_eq!(one("max", json!({"field": "b"}), &docs), json!({"value": 1.0, "value_as_string": "true"}));
    assert_eq!(one("sum", json!({"field": "s"}), &docs), json!({"value": 5.25}));
    assert_eq!(one("max", json!({"field": "u"}), &docs), json!({"value": 1.8446744073709552e19}));
}

#[test]
fn percentiles() {
    let docs = numbers();
    assert_eq!(
        one("percentiles", json!({"field": "n"}), &docs),
        json!({"values": {"1.0": 1.0, "5.0": 1.0, "25.0": 51.0, "50.0": 101.0, "75.0": 151.0, "95.0": 151.0, "99.0": 151.0}})
    );
    assert_eq!(
        one("percentiles", json!({"field": "n", "keyed": false, "percents": [99.9, 50]}), &docs),
        json!({"values": [{"key": 50.0, "value": 101.0}, {"key": 99.9, "value": 151.0}]})
    );
    assert_eq!(
        one("percentile_ranks", json!({"field": "n", "values": [26, 1, 200], "hdr": {}}), &docs),
        json!({"values": {"1.0": 25.0, "26.0": 25.0, "200.0": 100.0}})
    );
    assert_eq!(one("percentiles", json!({"field": "nope", "percents": [5]}), &docs), json!({"values": {"5.0": null}}));
}

#[test]
fn cardinalities() {
    let docs =
        [json!({"k": ["a", "b"], "n": 1, "ip": "::1"}), json!({"k": "a", "n": [1, 2], "ip": "10.0.0.1"}), json!({})];
    for (field, expected) in [("k", 2), ("n", 2), ("ip", 2), ("nope", 0)] {
        assert_eq!(one("cardinality", json!({"field": field}), &docs), json!({"value": expected}), "{field}");
        let split = run(
            json!({"a": {"kind": "cardinality", "params": {"field": field, "missing": if field == "n" { json!(7) } else { json!("::9") }}}}),
            &[&[&docs[..1], &docs[1..2]], &[&docs[2..]]],
        );
        assert_eq!(split["a"]["value"], json!(expected + 1), "{field}");
    }
}

#[test]
fn terms_of_keywords() {
    let docs =
        [json!({"k": ["a", "b"], "n": 1}), json!({"k": "a", "n": 3}), json!({"k": "c", "n": 5}), json!({"n": 7})];
    let buckets = |params: Value| one("terms", params, &docs)["buckets"].take();
    assert_eq!(
        one("terms", json!({"field": "k"}), &docs),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
            {"key": "a", "doc_count": 2}, {"key": "b", "doc_count": 1}, {"key": "c", "doc_count": 1}]})
    );
    assert_eq!(
        buckets(json!({"field": "k", "order": {"_key": "desc"}, "size": 1})),
        json!([{"key": "c", "doc_count": 1}])
    );
    assert_eq!(
        buckets(json!({"field": "k", "missing": "bb", "order": {"_key": "asc"}})),
        json!([{"key": "a", "doc_count": 2}, {"key": "b", "doc_count": 1}, {"key": "bb", "doc_count": 1}, {"key": "c", "doc_count": 1}])
    );
    assert_eq!(
        buckets(json!({"field": "k", "missing": "c", "min_doc_count": 2}))[1],
        json!({"key": "c", "doc_count": 2})
    );
    assert_eq!(
        buckets(json!({"field": "k", "include": "a|b", "exclude": {"values": ["b"]}})),
        json!([{"key": "a", "doc_count": 2}])
    );
    assert_eq!(buckets(json!({"field": "nope"})), json!([]));
    assert_eq!(
        one("terms", json!({"field": "k", "size": 1, "show_term_doc_count_error": true}), &docs),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 2,
            "buckets": [{"key": "a", "doc_count": 2, "doc_count_error_upper_bound": 0}]})
    );
}

#[test]
fn terms_without_documents() {
    let docs = [json!({"k": "a", "n": 1}), json!({"k": "b", "n": 2}), json!({"k": "c", "n": 2})];
    let aggs = json!({"s": {"kind": "terms", "params": {"field": "k", "min_doc_count": 0}, "aggs": {"m": {"kind": "max", "params": {"field": "n"}}}},
        "n": {"kind": "terms", "params": {"field": "n", "min_doc_count": 0}}});
    let found =
        run_with(aggs, json!({"term": {"field": "k", "value": "b"}}), &[&[&docs[..2]], &[&docs[2..]]], false).unwrap();
    assert_eq!(
        found["s"]["buckets"],
        json!([{"key": "b", "doc_count": 1, "m": {"value": 2.0}}, {"key": "a", "doc_count": 0, "m": {"value": null}},
            {"key": "c", "doc_count": 0, "m": {"value": null}}])
    );
    assert_eq!(found["n"]["buckets"], json!([{"key": 2, "doc_count": 1}, {"key": 1, "doc_count": 0}]));
}

#[test]
fn terms_of_other_kinds() {
    let docs = [
        json!({"n": [1, 1, 2], "b": true, "t": "2016-05-03", "ip": "127.0.0.1", "d": 1.5, "u": 18446744073709551615u64, "s": 1.1}),
        json!({"n": 2, "b": false, "t": "2014-09-01", "ip": "::1", "d": -3.0}),
        json!({"b": true, "ip": "127.0.0.1"}),
    ];
    let buckets = |params: Value| one("terms", params, &docs)["buckets"].take();
    assert_eq!(buckets(json!({"field": "n"})), json!([{"key": 2, "doc_count": 2}, {"key": 1, "doc_count": 1}]));
    assert_eq!(
        buckets(json!({"field": "b"})),
        json!([{"key": 1, "key_as_string": "true", "doc_count": 2}, {"key": 0, "key_as_string": "false", "doc_count": 1}])
    );
    assert_eq!(
        buckets(json!({"field": "t", "include": ["2016-05-03"]})),
        json!([{"key": 1462233600000i64, "key_as_string": "2016-05-03T00:00:00.000Z", "doc_count": 1}])
    );
    assert_eq!(
        buckets(json!({"field": "ip"})),
        json!([{"key": "127.0.0.1", "doc_count": 2}, {"key": "::1", "doc_count": 1}])
    );
    assert_eq!(buckets(json!({"field": "ip", "exclude": ["127.0.0.1"]})), json!([{"key": "::1", "doc_count": 1}]));
    assert_eq!(buckets(json!({"field": "d"})), json!([{"key": -3.0, "doc_count": 1}, {"key": 1.5, "doc_count": 1}]));
    assert_eq!(buckets(json!({"field": "u"})), json!([{"key": 18446744073709551615u64, "doc_count": 1}]));
    assert_eq!(buckets(json!({"field": "s", "missing": 1.1})), json!([{"key": 1.1, "doc_count": 3}]));
    assert_eq!(fails("terms", json!({"field": "ip", "include": "127.*"}), &docs).status, 500);
}

#[test]
fn terms_by_sub_aggregations() {
    let docs = [
        json!({"k": "a", "n": 1, "b": true}),
        json!({"k": "b", "n": 9, "b": true}),
        json!({"k": "b", "n": 1}),
        json!({"k": "c", "n": 4, "b": true}),
    ];
    let keys = |order: Value| {
        let aggs = json!({"a": {"kind": "terms", "params": {"field": "k", "order": order}, "aggs": {
            "m": {"kind": "avg", "params": {"field": "n"}}, "s": {"kind": "stats", "params": {"field": "n"}},
            "p": {"kind": "percentiles", "params": {"field": "n"}},
            "f": {"kind": "missing", "params": {"field": "b"}, "aggs": {"x": {"kind": "max", "params": {"field": "n"}}}}}}});
        let found = run(aggs, &[&[&docs[..2], &docs[2..3]], &[&docs[3..]]]);
        found["a"]["buckets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b["key"].as_str().unwrap().to_string())
            .collect::<String>()
    };
    assert_eq!(keys(json!({"m": "desc"})), "bca");
    assert_eq!(keys(json!([["s.max", "asc"]])), "acb");
    assert_eq!(keys(json!([["p.99", "desc"]])), "bca");
    assert_eq!(keys(json!([{"f": "desc"}, {"m": "asc"}])), "bac");
    assert_eq!(keys(json!({"f>x": "desc"})), "bac");
    assert_eq!(keys(json!([["f._count", "asc"], ["_key", "desc"]])), "cab");
    let aggs = json!({"a": {"kind": "terms", "params": {"field": "k", "order": {"nope": "asc"}}}});
    let error = run_with(aggs, json!({}), &[&[&docs]], false).unwrap_err();
    assert_eq!(
        error.reason,
        "Invalid aggregation order path [nope]. The provided aggregation [nope] either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets."
    );
}

#[test]
fn error_bounds_of_cut_terms() {
    let shard = |counts: &[(&str, usize)]| -> Vec<Value> {
        counts.iter().flat_map(|(k, n)| (0..*n).map(move |_| json!({"k": k}))).collect()
    };
    let a = shard(&[("a", 10), ("b", 6), ("c", 3)]);
    let b = shard(&[("a", 9), ("c", 5), ("b", 1)]);
    let params = json!({"field": "k", "size": 2, "shard_size": 2, "show_term_doc_count_error": true});
    let found = run(json!({"a": {"kind": "terms", "params": params}}), &[&[&a], &[&b]]);
    assert_eq!(
        found["a"],
        json!({"doc_count_error_upper_bound": 11, "sum_other_doc_count": 9, "buckets": [
            {"key": "a", "doc_count": 19, "doc_count_error_upper_bound": 0},
            {"key": "b", "doc_count": 6, "doc_count_error_upper_bound": 5}]})
    );
    let asc = json!({"field": "k", "size": 2, "shard_size": 2, "order": {"_count": "asc"}});
    let found = run(json!({"a": {"kind": "terms", "params": asc}}), &[&[&a], &[&b]]);
    assert_eq!(found["a"]["doc_count_error_upper_bound"], json!(-1));
}

#[test]
fn histograms() {
    let docs = numbers();
    let buckets = |params: Value| one("histogram", params, &docs)["buckets"].take();
    assert_eq!(
        buckets(json!({"field": "n", "interval": 50, "format": "Value is ##0.0"}))[1],
        json!({"key_as_string": "Value is 50.0", "key": 50.0, "doc_count": 1})
    );
    assert_eq!(
        buckets(json!({"field": "n", "interval": 50, "keyed": true, "offset": 60})),
        json!({"-40.0": {"key": -40.0, "doc_count": 1}, "10.0": {"key": 10.0, "doc_count": 1},
            "60.0": {"key": 60.0, "doc_count": 1}, "110.0": {"key": 110.0, "doc_count": 1}})
    );
    let keys = |params: Value| -> Vec<f64> {
        buckets(params).as_array().unwrap().iter().map(|b| b["key"].as_f64().unwrap()).collect()
    };
    assert_eq!(keys(json!({"field": "n", "interval": 75})), [0.0, 75.0, 150.0]);
    assert_eq!(
        keys(json!({"field": "n", "interval": 100, "extended_bounds": {"min": -100, "max": 250}})),
        [-100.0, 0.0, 100.0, 200.0]
    );
    assert_eq!(keys(json!({"field": "nope", "interval": 1, "extended_bounds": {"min": 0, "max": 2}})), [0.0, 1.0, 2.0]);
    assert_eq!(keys(json!({"field": "n", "interval": 50, "hard_bounds": {"min": 50, "max": 100}})), [50.0, 100.0]);
    assert_eq!(
        keys(json!({"field": "n", "interval": 10, "min_doc_count": 1, "order": {"_key": "desc"}})),
        [150.0, 100.0, 50.0, 0.0]
    );
    assert!(fails("histogram", json!({"field": "n", "interval": 0}), &docs).reason.contains("must be >0"));
    let error = fails("histogram", json!({"field": "n", "interval": 0.0001}), &docs);
    assert_eq!((error.kind, error.status), ("too_many_buckets_exception", 503));
}

#[test]
fn date_histograms() {
    let docs = ["2016-01-01", "2016-01-02", "2016-02-01", "2016-04-01"].map(|t| json!({"t": t, "tn": t}));
    let buckets = |params: Value| one("date_histogram", params, &docs)["buckets"].take();
    for field in ["t", "tn"] {
        assert_eq!(
            buckets(json!({"field": field, "calendar_interval": "month"})),
            json!([{"key_as_string": "2016-01-01T00:00:00.000Z", "key": 1451606400000i64, "doc_count": 2},
                {"key_as_string": "2016-02-01T00:00:00.000Z", "key": 1454284800000i64, "doc_count": 1},
                {"key_as_string": "2016-03-01T00:00:00.000Z", "key": 1456790400000i64, "doc_count": 0},
                {"key_as_string": "2016-04-01T00:00:00.000Z", "key": 1459468800000i64, "doc_count": 1}])
        );
    }
    let texts = |params: Value| -> Vec<String> {
        let found = buckets(params);
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|b| format!("{} {}", b["key_as_string"].as_str().unwrap(), b["doc_count"]))
            .collect()
    };
    assert_eq!(
        texts(json!({"field": "t", "calendar_interval": "1q", "time_zone": "America/Phoenix"})),
        ["2015-10-01T00:00:00.000-07:00 1", "2016-01-01T00:00:00.000-07:00 3"]
    );
    assert_eq!(texts(json!({"field": "t", "fixed_interval": "60d", "min_doc_count": 1, "offset": "+1d"})).len(), 2);
    assert_eq!(
        texts(
            json!({"field": "t", "calendar_interval": "year", "extended_bounds": {"min": "2015-05-01", "max": 1483228800000i64}})
        ),
        ["2015-01-01T00:00:00.000Z 0", "2016-01-01T00:00:00.000Z 4", "2017-01-01T00:00:00.000Z 0"]
    );
    assert_eq!(
        texts(
            json!({"field": "t", "calendar_interval": "month", "hard_bounds": {"min": "2016-02-01", "max": "2016-04-01"}})
        ),
        ["2016-02-01T00:00:00.000Z 1"]
    );
    assert!(
        fails("date_histogram", json!({"field": "t", "calendar_interval": "2d"}), &docs)
            .reason
            .contains("calendar interval")
    );
    let many = json!({"field": "t", "fixed_interval": "1s"});
    assert_eq!(fails("date_histogram", many, &docs).kind, "too_many_buckets_exception");
}

#[test]
fn ranges() {
    let docs = [
        json!({"d": 42.0, "t": "1970-01-01T00:16:40Z", "ip": "::1"}),
        json!({"d": [100.0, 120.0], "f": 0.1, "ip": "192.168.0.1"}),
        json!({"d": 50.0}),
    ];
    assert_eq!(
        one(
            "range",
            json!({"field": "d", "ranges": [{"from": 50, "to": 150}, {"to": 50}, {"from": 150, "key": "x"}]}),
            &docs
        )["buckets"],
        json!([{"key": "*-50.0", "to": 50.0, "doc_count": 1}, {"key": "50.0-150.0", "from": 50.0, "to": 150.0, "doc_count": 2},
            {"key": "x", "from": 150.0, "doc_count": 0}])
    );
    assert_eq!(
        one("range", json!({"field": "f", "ranges": [{"from": 0.1}], "keyed": true}), &docs)["buckets"]["0.1-*"]["doc_count"],
        json!(1)
    );
    assert_eq!(
        one("date_range", json!({"field": "t", "ranges": [{"from": 0, "to": 2000000}], "missing": 1}), &docs)["buckets"]
            [0],
        json!({"key": "1970-01-01T00:00:00.000Z-1970-01-01T00:33:20.000Z", "from": 0.0, "from_as_string": "1970-01-01T00:00:00.000Z",
            "to": 2000000.0, "to_as_string": "1970-01-01T00:33:20.000Z", "doc_count": 3})
    );
    assert_eq!(
        one(
            "ip_range",
            json!({"field": "ip", "ranges": [{"mask": "::/24"}, {"mask": "192.168.0.0/16"}, {"to": "10.0.0.0"}]}),
            &docs
        )["buckets"],
        json!([{"key": "*-10.0.0.0", "to": "10.0.0.0", "doc_count": 1}, {"key": "::/24", "to": "0:100::", "doc_count": 2},
            {"key": "192.168.0.0/16", "from": "192.168.0.0", "to": "192.169.0.0", "doc_count": 1}])
    );
}

#[test]
fn single_buckets_and_filters() {
    let docs = [json!({"k": "a", "n": 1}), json!({"k": "b", "n": 2}), json!({"n": 3})];
    let a = json!({"term": {"field": "k", "value": "a"}});
    let b = json!({"term": {"field": "k", "value": "b"}});
    let sum = json!({"s": {"kind": "sum", "params": {"field": "n"}}});
    let aggs = json!({
        "f": {"kind": "filter", "params": {"filter": a}, "aggs": sum, "meta": {"x": [1, {"y": "z"}]}},
        "m": {"kind": "missing", "params": {"field": "k"}, "aggs": sum},
        "g": {"kind": "global", "params": {}, "aggs": sum},
        "fs": {"kind": "filters", "params": {"keyed": true, "filters": [["y", b], ["x", a]], "other_bucket_key": "rest"}, "aggs": sum},
        "anon": {"kind": "filters", "params": {"keyed": false, "filters": [["0", b], ["1", a]], "other_bucket_key": null}}
    });
    let found = run_with(aggs, json!({"all": {}}), &[&[&docs[..1], &docs[1..]]], true).unwrap();
    assert_eq!(found["filter#f"], json!({"meta": {"x": [1, {"y": "z"}]}, "doc_count": 1, "sum#s": {"value": 1.0}}));
    assert_eq!(found["missing#m"], json!({"doc_count": 1, "sum#s": {"value": 3.0}}));
    assert_eq!(found["global#g"], json!({"doc_count": 3, "sum#s": {"value": 6.0}}));
    assert_eq!(
        serde_json::to_string(&found["filters#fs"]["buckets"]).unwrap(),
        r#"{"x":{"doc_count":1,"sum#s":{"value":1.0}},"y":{"doc_count":1,"sum#s":{"value":2.0}},"rest":{"doc_count":1,"sum#s":{"value":3.0}}}"#
    );
    assert_eq!(found["filters#anon"]["buckets"], json!([{"doc_count": 1}, {"doc_count": 1}]));
    let narrow = run_with(json!({"g": {"kind": "global", "params": {}, "aggs": sum}}), a, &[&[&docs]], false).unwrap();
    assert_eq!(narrow["g"], json!({"doc_count": 3, "s": {"value": 6.0}}));
}

#[test]
fn kinds_that_differ_between_shards_and_limits() {
    let one = json!({"a": {"kind": "terms", "params": {"field": "n"}}});
    let plan = super::parse(&one).unwrap();
    assert!(super::merge(&plan, &[&[9, 9]]).unwrap_err().reason.contains("version 9"));
    let mut small = super::parse(&one).unwrap();
    small.max_buckets = 1;
    let reader = crate::testkit::reader(&super::mapping(), &[&[json!({"n": 1}), json!({"n": 2})]]);
    let block = super::collect(&small, &reader, &json!({})).unwrap();
    let error = super::merge(&small, &[&block]).unwrap_err();
    assert_eq!(
        error.reason,
        "Trying to create too many buckets. Must be less than or equal to: [1] but was [2]. This limit can be set by changing the [search.max_buckets] cluster level setting."
    );
    small.memory_limit = 10;
    let error = super::collect(&small, &reader, &json!({})).unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_str()),
        (
            "circuit_breaking_exception",
            "[request] Data too large, data for [<agg [a]>] would be [5120/5kb], which is larger than the limit of [10/10b]"
        )
    );
    assert!(super::parse(&json!({"a": {"kind": "nope"}})).is_err());
}

#[test]
fn top_hits_by_bucket() {
    let docs =
        [json!({"k": "a", "n": 3}), json!({"k": "a", "n": 1}), json!({"k": "b", "n": 2}), json!({"k": "a", "n": 2})];
    let order = json!([{"kind": "field", "field": "n", "order": "asc"}]);
    let aggs = json!({"k": {"kind": "terms", "params": {"field": "k"}, "aggs": {
        "top": {"kind": "top_hits", "params": {"from": 1, "size": 1, "sort": order, "fetch": {"source": {"includes": ["n"], "excludes": []}}}}}}});
    for shards in
        [&[&[&docs[..]][..]][..], &[&[&docs[..2], &docs[2..]][..]][..], &[&[&docs[..1]][..], &[&docs[1..]][..]][..]]
    {
        let found = run(aggs.clone(), shards);
        let hits = &found["k"]["buckets"][0]["top"]["hits"];
        assert_eq!((&hits["total"], &hits["max_score"]), (&json!({"value": 3, "relation": "eq"}), &json!(null)));
        assert_eq!((&hits["hits"][0]["_source"], &hits["hits"][0]["sort"]), (&json!({"n": 2}), &json!([2])));
        assert_eq!(hits["hits"].as_array().unwrap().len(), 1);
        assert_eq!(found["k"]["buckets"][1]["top"]["hits"]["total"]["value"], json!(1));
    }
}

#[test]
fn weighted_averages_and_deviations() {
    let docs = [json!({"n": 1, "d": 2.0}), json!({"n": 3, "d": 1.0}), json!({"n": [5, 7]}), json!({"d": 4.0})];
    let weighted = |weight: Value| one("weighted_avg", json!({"value": {"field": "n"}, "weight": weight}), &docs);
    assert_eq!(weighted(json!({"field": "d"})), json!({"value": 5.0 / 3.0}));
    assert_eq!(weighted(json!({"field": "d", "missing": 0.5})), json!({"value": 11.0 / 4.0}));
    assert_eq!(weighted(json!({"field": "nope"})), json!({"value": null}));
    let many = json!({"value": {"field": "d", "missing": 1}, "weight": {"field": "n"}});
    assert!(fails("weighted_avg", many, &docs).reason.starts_with("Encountered more than one weight"));
    assert_eq!(one("median_absolute_deviation", json!({"field": "n"}), &numbers()), json!({"value": 50.0}));
    assert_eq!(one("median_absolute_deviation", json!({"field": "nope"}), &docs), json!({"value": null}));
}

#[test]
fn composites_page_by_page() {
    let docs = [
        json!({"k": "foo", "n": [10, 20]}),
        json!({"k": ["foo", "bar"]}),
        json!({"k": "bar", "n": [100, 0], "t": "2017-10-20T03:08:45"}),
        json!({"k": "bar", "n": [1000, 0], "t": "2017-10-21T07:00:00"}),
    ];
    let sources = json!([{"name": "n", "kind": "terms", "params": {"field": "n"}}, {"name": "k", "kind": "terms", "params": {"field": "k"}}]);
    let aggs = |after: Value| {
        json!({"a": {"kind": "composite", "params": {"sources": sources, "size": 3, "after": after},
        "aggs": {"m": {"kind": "max", "params": {"field": "n"}}}}})
    };
    for shards in [&[&[&docs[..]][..]][..], &[&[&docs[..1], &docs[1..3]][..], &[&docs[3..]][..]][..]] {
        let found = run(aggs(json!(null)), shards);
        assert_eq!(
            found["a"],
            json!({"after_key": {"n": 20, "k": "foo"}, "buckets": [
                {"key": {"n": 0, "k": "bar"}, "doc_count": 2, "m": {"value": 1000.0}},
                {"key": {"n": 10, "k": "foo"}, "doc_count": 1, "m": {"value": 20.0}},
                {"key": {"n": 20, "k": "foo"}, "doc_count": 1, "m": {"value": 20.0}}]})
        );
        let rest = run(aggs(json!([20, "foo"])), shards);
        let keys: Vec<&Value> = rest["a"]["buckets"].as_array().unwrap().iter().map(|b| &b["key"]["n"]).collect();
        assert_eq!(keys, [&json!(100), &json!(1000)]);
        assert_eq!(run(aggs(json!([1000, "bar"])), shards)["a"], json!({"buckets": []}));
    }
    let dates = json!({"sources": [{"name": "t", "kind": "date_histogram", "params": {"field": "t", "calendar_interval": "day",
        "order": "desc", "missing_bucket": true, "format": "strict_date", "format_given": true}}]});
    assert_eq!(
        one("composite", dates, &docs)["buckets"],
        json!([{"key": {"t": "2017-10-21"}, "doc_count": 1}, {"key": {"t": "2017-10-20"}, "doc_count": 1}, {"key": {"t": null}, "doc_count": 2}])
    );
}
