//! `function_score` where it depends on what OpenSearch itself computes.

use serde_json::{Value, json};

use super::tests::{run, shop};
use super::{Plan, service};

fn scores(functions: Value) -> Vec<(String, f64)> {
    let query = json!({"function_score": {"query": {"all": {}}, "functions": functions}});
    let answer = run(shop(), json!({"query": query, "sort": [{"kind": "doc", "order": "asc"}], "track_scores": true}));
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_score"].as_f64().unwrap())).collect()
}

#[test]
fn random_scores_are_those_of_opensearch() {
    // Recorded from OpenSearch 3.6.0 with the same documents in an index of this name.
    for (field, expected) in [
        ("_seq_no", [0.218_266_07, 0.659_786_3, 0.045_028_448, 0.161_764_14]),
        ("_id", [0.904_375_43, 0.078_785_06, 0.559_759_74, 0.388_947_84]),
        ("tag", [0.882_306_4, 0.882_306_4, 0.634_971_8, 0.179_654_48]),
        ("price", [0.700_519_6, 0.169_974_74, 0.179_654_48, 0.987_734_2]),
        ("stock", [0.161_764_14, 0.659_786_3, 0.803_919, 0.179_654_48]),
        ("day", [0.326_056_12, 0.223_844_89, 0.663_655_04, 0.179_654_48]),
        ("on", [0.659_786_3, 0.218_266_07, 0.179_654_48, 0.179_654_48]),
        ("ip", [0.404_344_2, 0.179_654_48, 0.214_941_62, 0.179_654_48]),
        ("weight", [0.179_654_48, 0.595_492_84, 0.179_654_48, 0.351_719_14]),
    ] {
        let found = scores(json!([{"random_score": {"seed": 42, "field": field}}]));
        for ((id, score), expected) in found.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-6, "{field} of {id}: {score}, not {expected}");
        }
    }
}

#[test]
fn values_that_make_no_score_fail_the_shard() {
    let fault = |function: Value, query: Value| {
        let plan = json!({"query": {"function_score": {"query": query, "functions": [function]}}});
        service::query(&shop(), &Plan::parse(plan.to_string().as_bytes()).unwrap(), None, 0)
            .err()
            .map(|e| (e.kind, e.reason))
    };
    let factor = |field: &str, more: Value| {
        let mut factor = json!({"field": field});
        factor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"field_value_factor": factor})
    };
    let all = || json!({"all": {}});
    assert_eq!(
        fault(factor("price", json!({})), all()),
        Some(("exception", "Missing value for field [price]".to_owned()))
    );
    assert_eq!(fault(factor("price", json!({"missing": 1})), all()), None);
    // Only documents that are scored count.
    assert_eq!(fault(factor("price", json!({})), json!({"term": {"field": "tag", "value": "x"}})), None);
    let (kind, reason) = fault(factor("price", json!({"modifier": "ln", "missing": 1})), all()).unwrap();
    assert_eq!(kind, "illegal_argument_exception");
    assert!(
        reason.starts_with("field value function must not produce negative scores, but got: [-0.69314718"),
        "{reason}"
    );
    assert!(
        reason.ends_with("for field value: [0.5]; consider using ln1p or ln2p instead of ln to avoid negative scores")
    );
}
