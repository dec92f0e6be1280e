//! `ids`: documents by id, constant score.

use tantivy::schema::Term;

use super::Operation;
use super::constant::NoneQuery;
use super::terms::AnyTerm;
use crate::Result;
use crate::search::query::{BoxQuery, Context};

operation! {
    /// Root documents with one of the ids.
    pub struct Ids {
        pub values: Vec<String>,
    }
}

impl Operation for Ids {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        bind_ids(context, &self.values, boost)
    }
}

pub fn bind_ids(context: &Context<'_>, ids: &[String], boost: f32) -> Result<BoxQuery> {
    if ids.is_empty() {
        return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"Missing ids in \"Ids\" query.\")"));
    }
    let field = context.mapping().system.id;
    AnyTerm::bind(context, "_id", field, ids.iter().map(|id| Term::from_field_text(field, id)).collect(), boost)
}
