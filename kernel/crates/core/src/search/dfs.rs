//! Statistics over several shards (`dfs_query_then_fetch`): each shard tells those of the terms and fields that a query scores by, their
//! sums then stand in for its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tantivy::schema::Term;

use super::plan::Plan;
use super::query::Context;
use crate::Result;
use crate::reader::ShardReader;

/// By field, and by field and term.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    fields: BTreeMap<String, FieldCounts>,
    terms: BTreeMap<String, BTreeMap<Vec<u8>, u64>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCounts {
    /// Documents that have the field.
    pub documents: u64,
    /// Tokens of all of them.
    pub tokens: u64,
}

impl Collected {
    /// The sums of what shards told.
    pub fn sum(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            for (field, counts) in part.fields {
                let sum = all.fields.entry(field).or_default();
                sum.documents += counts.documents;
                sum.tokens += counts.tokens;
            }
            for (field, terms) in part.terms {
                let sums = all.terms.entry(field).or_default();
                terms.into_iter().for_each(|(term, frequency)| *sums.entry(term).or_default() += frequency);
            }
        }
        all
    }
}

/// What the statistics of a shard are for.
#[derive(Clone)]
pub enum Purpose {
    Gather(Arc<Mutex<Collected>>),
    Replace(Arc<Collected>),
}

thread_local! {
    static CURRENT: RefCell<Option<Purpose>> = const { RefCell::new(None) };
}

/// While it lives, queries that this thread binds score by these statistics.
pub struct Scope(Option<Purpose>);

impl Scope {
    pub fn enter(purpose: Option<Purpose>) -> Self {
        Scope(CURRENT.replace(purpose))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

impl Purpose {
    pub fn current() -> Option<Self> {
        CURRENT.with(|cell| cell.borrow().clone())
    }

    /// The document frequency of a term to score by.
    pub fn frequency(&self, field: &str, term: &Term, own: u64) -> u64 {
        let term = term.serialized_value_bytes();
        match self {
            Self::Gather(collected) => {
                let mut collected = collected.lock();
                collected.terms.entry(field.to_owned()).or_default().insert(term.to_vec(), own);
                own
            }
            Self::Replace(all) => all.terms.get(field).and_then(|terms| terms.get(term)).copied().unwrap_or(own),
        }
    }

    /// The counts of a field to score by.
    pub fn counts(&self, field: &str, own: FieldCounts) -> FieldCounts {
        match self {
            Self::Gather(collected) => {
                collected.lock().fields.insert(field.to_owned(), own);
                own
            }
            Self::Replace(all) => all.fields.get(field).copied().unwrap_or(own),
        }
    }
}

/// What one shard has of the terms and fields by which the plan's query scores.
pub fn gather(reader: &ShardReader, plan: &Plan) -> Result<Collected> {
    let collected = Arc::default();
    let _scope = Scope::enter(Some(Purpose::Gather(Arc::clone(&collected))));
    plan.query.bind(&Context::new(reader, true), 1.0)?;
    let collected = collected.lock().clone();
    Ok(collected)
}
