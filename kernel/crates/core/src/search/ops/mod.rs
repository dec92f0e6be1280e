//! The operations of a query, one file per operation or small family.

/// Declares an operation: its arguments, and what every operation may carry.
macro_rules! operation {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
            #[serde(default = "crate::search::ops::one")]
            pub boost: f32,
            #[serde(default, rename = "_name")]
            pub name: Option<String>,
        }
    };
}

mod automaton;
mod boolean;
mod boosting;
mod constant;
mod dis_max;
mod exists;
mod function_score;
mod fuzzy;
mod ids;
mod nested;
mod phrase;
mod range;
mod slice;
mod synonyms;
mod term;
mod terms;
pub(crate) mod values;

use std::sync::Arc;

use serde::Deserialize;

use super::plan::InnerHits;
use super::query::{BoxQuery, Context, lookup};
use crate::Result;
use crate::mapping::FieldKind;
use crate::reader::ShardReader;

pub use automaton::Pattern;
pub use constant::ConstantQuery;
pub use fuzzy::Near;
pub use nested::{first_child, matching_children, parent_of};
pub use term::TermQuery;

pub(crate) fn one() -> f32 {
    1.0
}

/// What an operation does.
pub trait Operation {
    /// Binds to a shard. `boost` is the product of this operation's and those around it.
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery>;

    /// What binding costs where it looks for terms in dictionaries, in documents that could be visited meanwhile.
    fn expansion(&self, _context: &Context<'_>) -> Result<u64> {
        Ok(0)
    }

    /// Operations inside this one.
    fn children(&self) -> Vec<&Op> {
        Vec::new()
    }

    /// What a highlighter marks of this operation itself.
    fn marks(&self, _out: &mut Vec<Mark>) {}

    /// Operations inside this one whose matches are highlighted.
    fn highlighted(&self) -> Vec<&Op> {
        self.children()
    }

    fn inner_hits(&self) -> Option<(&str, &Op, &InnerHits)> {
        None
    }
}

/// Something to highlight in a field.
#[derive(Debug, Clone)]
pub struct Mark {
    pub field: String,
    pub what: MarkKind,
    pub boost: f32,
}

#[derive(Debug, Clone)]
pub enum MarkKind {
    Term(String),
    /// Terms by position, as in the `phrase` operation; the last may be a prefix.
    Phrase {
        terms: Vec<(u32, Vec<String>)>,
        slop: u32,
        prefix: bool,
    },
    /// Anything a pattern accepts.
    Pattern(Arc<Pattern>),
    /// Texts within some edits.
    Fuzzy {
        text: String,
        edits: u8,
        prefix: usize,
        transpositions: bool,
    },
}

macro_rules! operations {
    ($($variant:ident($ty:ty),)*) => {
        /// An operation of the plan.
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Op {
            $($variant($ty),)*
        }

        impl Op {
            fn operation(&self) -> &dyn Operation {
                match self {
                    $(Op::$variant(op) => op,)*
                }
            }

            pub fn boost(&self) -> f32 {
                match self {
                    $(Op::$variant(op) => op.boost,)*
                }
            }

            pub fn name(&self) -> Option<&str> {
                match self {
                    $(Op::$variant(op) => op.name.as_deref(),)*
                }
            }
        }
    };
}

operations! {
    All(constant::All),
    None(constant::Nothing),
    Term(term::TermOp),
    Terms(terms::Terms),
    Range(range::Range),
    Phrase(phrase::Phrase),
    PhrasePrefix(phrase::PhrasePrefix),
    Ids(ids::Ids),
    Slice(slice::Slice),
    Exists(exists::Exists),
    Bool(boolean::Bool),
    Const(constant::Const),
    DisMax(dis_max::DisMax),
    Prefix(automaton::Prefix),
    Wildcard(automaton::Wildcard),
    Regexp(automaton::Regexp),
    Fuzzy(fuzzy::Fuzzy),
    Synonyms(synonyms::Synonyms),
    Blended(synonyms::Blended),
    Boosting(boosting::Boosting),
    FunctionScore(function_score::FunctionScore),
    Nested(nested::Nested),
}

impl Default for Op {
    fn default() -> Self {
        Op::All(constant::All { boost: 1.0, name: None })
    }
}

impl Op {
    /// Binds to a shard; `boost` is that of what is around.
    pub fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        self.operation().bind(context, boost * self.boost())
    }

    pub fn children(&self) -> Vec<&Op> {
        self.operation().children()
    }

    /// Whether OpenSearch knows the number of matches from Lucene's statistics alone.
    pub fn is_counted(&self, shard: &ShardReader) -> bool {
        let indexed = |path: &str, kinds: &[FieldKind]| {
            lookup(&shard.mapping, path)
                .is_some_and(|def| def.indexed && (kinds.is_empty() || kinds.contains(&def.kind)))
        };
        let whole = || shard.segments.iter().all(|segment| segment.alive.is_none());
        match self {
            Op::All(_) => shard.mapping.nested_paths.is_empty(),
            Op::Term(op) => indexed(&op.field, &[FieldKind::Text, FieldKind::Keyword, FieldKind::Boolean]) && whole(),
            Op::Exists(op) => indexed(&op.field, &[]) && whole(),
            Op::Const(op) => op.query.is_counted(shard),
            Op::Bool(op) => op.only_required().is_some_and(|inner| inner.is_counted(shard)),
            _ => false,
        }
    }

    /// What binding costs where this operation and those inside it look for terms in dictionaries, in documents.
    pub fn expansion(&self, context: &Context<'_>) -> Result<u64> {
        let mut cost = self.operation().expansion(context)?;
        for child in self.children() {
            cost += child.expansion(context)?;
        }
        Ok(cost)
    }

    /// This operation and all inside it.
    pub fn walk<'o>(&'o self, visit: &mut dyn FnMut(&'o Op)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// All that a highlighter marks.
    pub fn marks(&self, out: &mut Vec<Mark>) {
        self.operation().marks(out);
        for child in self.operation().highlighted() {
            child.marks(out);
        }
    }

    pub fn inner_hits(&self) -> Option<(&str, &Op, &InnerHits)> {
        self.operation().inner_hits()
    }
}
