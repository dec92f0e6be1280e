//! Best hits of scored terms by block maxima. tantivy's block-max WAND proposes documents; each is scored again exactly as Lucene would.

use std::sync::Arc;

use tantivy::query::{
    Bm25StatisticsProvider, Bm25Weight, BooleanWeight, BoostWeight, EnableScoring, Occur, Query as _, SumCombiner,
    TermQuery as IndexTermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption, Schema, Term};
use tantivy::{Index, ReloadPolicy, Searcher};

use super::Job;
use super::heap::TopScores;
use crate::Result;
use crate::reader::ShardReader;
use crate::search::docs::{Accept, cached};
use crate::search::ops::TermQuery;
use crate::search::query::{SegmentView, matches};
use crate::search::score::{Bm25, K1, norms};

/// Terms whose scores add up.
pub struct Prunable<'q> {
    pub terms: Vec<&'q TermQuery>,
    /// All must match.
    pub required: bool,
}

impl Prunable<'_> {
    /// A lower bound of the number of matching documents, cheap.
    pub fn at_least(&self, shard: &ShardReader) -> u64 {
        if self.required && self.terms.len() > 1 {
            return 0;
        }
        let mut total = 0;
        for segment in SegmentView::all(shard) {
            if Accept::new(&segment).is_ok_and(|accept| accept.all()) {
                let best = self
                    .terms
                    .iter()
                    .filter_map(|term| term.states.infos[segment.ord].as_ref())
                    .map(|info| info.doc_freq)
                    .max();
                total += u64::from(best.unwrap_or(0));
            }
        }
        total
    }
}

/// Lucene's statistics in the form that tantivy asks for.
struct Statistics<'a> {
    similarity: &'a Bm25,
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, _field: Field) -> tantivy::Result<u64> {
        let count = self.similarity.idf.terms.first().map_or(1, |(_, count, _)| *count);
        Ok((f64::from(self.similarity.average_length) * count as f64).round() as u64)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        let (frequency, count) =
            self.similarity.idf.terms.first().map_or((0, 1), |(frequency, count, _)| (*frequency, *count));
        Ok(count.max(frequency).max(1))
    }

    fn doc_freq(&self, _term: &Term) -> tantivy::Result<u64> {
        Ok(self.similarity.idf.terms.first().map_or(0, |(frequency, _, _)| *frequency))
    }
}

/// tantivy makes weights only with a searcher at hand; an empty one will do.
fn empty_searcher(segment: &SegmentView<'_>) -> Result<Arc<Searcher>> {
    let schema: &Schema = &segment.mapping().schema;
    cached(segment.segment, &format!("empty_searcher/{}", schema.num_fields()), || {
        let reader =
            Index::create_in_ram(schema.clone()).reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(tantivy::IndexReader::searcher(&reader))
    })
}

/// Postings per block.
const BLOCK: usize = 128;

/// Rounding differs a little between the two ways to score.
const SLACK: f32 = 1.0 - 1e-5;

/// Collects the best hits of a segment.
pub(super) fn run(
    job: &Job<'_>,
    prunable: &Prunable<'_>,
    segment: &SegmentView<'_>,
    top: &mut TopScores,
) -> Result<()> {
    let present: Vec<&TermQuery> =
        prunable.terms.iter().copied().filter(|term| term.states.infos[segment.ord].is_some()).collect();
    if present.is_empty() || (prunable.required && present.len() < prunable.terms.len()) {
        return Ok(());
    }
    if let [only] = present.as_slice() {
        return run_term(only, segment, top);
    }
    let searcher = empty_searcher(segment)?;
    let occur = if prunable.required { Occur::Must } else { Occur::Should };
    let mut weights: Vec<(Occur, Box<dyn Weight>)> = Vec::with_capacity(present.len());
    let mut slack = SLACK;
    for term in &present {
        let Ok(similarity) = &term.similarity else { return Ok(()) };
        let statistics = Statistics { similarity };
        let scoring = EnableScoring::enabled_from_statistics_provider(&statistics, &searcher);
        let weight = IndexTermQuery::new(term.term.clone(), IndexRecordOption::WithFreqs).weight(scoring)?;
        weights.push((occur, Box::new(BoostWeight::new(weight, similarity.boost / (1.0 + K1)))));
        slack = slack.min(SLACK * certainty(segment, term.term.field(), similarity)?);
    }
    let minimum = usize::from(!prunable.required);
    let weight =
        BooleanWeight::with_minimum_number_should_match(weights, minimum, true, Box::new(SumCombiner::default));
    let accept = Accept::new(segment)?;
    let mut exact = job.query.scorer(segment)?;
    top.segment(segment.ord);
    let start = if top.threshold() > 0.0 { top.threshold() * slack } else { -1.0 };
    weight.for_each_pruning(start, &segment.segment.reader, &mut |doc, _approximate| {
        if accept.contains(doc) && matches(exact.as_mut(), doc) {
            top.push(doc, exact.score());
        }
        if top.threshold() > 0.0 { top.threshold() * slack } else { -1.0 }
    })?;
    Ok(())
}

/// Collects the best hits of one term: its postings block by block, without those whose maximum cannot matter.
fn run_term(term: &TermQuery, segment: &SegmentView<'_>, top: &mut TopScores) -> Result<()> {
    let (Ok(similarity), Some(info)) = (&term.similarity, &term.states.infos[segment.ord]) else { return Ok(()) };
    let field = term.term.field();
    let statistics = Statistics { similarity };
    let frequency = statistics.doc_freq(&term.term)?;
    let weight =
        Bm25Weight::for_one_term_without_explain(frequency, statistics.total_num_docs()?, similarity.average_length);
    let bound = weight.boost_by(similarity.boost / (1.0 + K1));
    let slack = SLACK * certainty(segment, field, similarity)?;
    let accept = Accept::new(segment)?;
    let norms = norms(segment, field, true)?;
    let index = segment.segment.reader.inverted_index(field)?;
    let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
    top.segment(segment.ord);
    let mut inverses = [0f32; BLOCK];
    let mut scores = [0f32; BLOCK];
    while postings.block_len() > 0 {
        let len = postings.block_len();
        let threshold = top.threshold();
        // Where frequencies are not stored there are no maxima either.
        let unbounded = threshold <= 0.0 || postings.freqs().is_empty();
        if unbounded || postings.block_max_score(&norms, &bound) >= threshold * slack {
            let docs = &postings.docs()[..len];
            for (inverse, doc) in inverses.iter_mut().zip(docs) {
                *inverse = similarity.norm_inverses[norms.fieldnorm_id(*doc) as usize];
            }
            // Apart from the look-ups, so that the compiler can take several at once.
            for (at, score) in scores[..len].iter_mut().enumerate() {
                *score = similarity.score_with(postings.freq(at) as f32, inverses[at]);
            }
            for (doc, score) in docs.iter().zip(&scores) {
                if *score > top.threshold() && accept.contains(*doc) {
                    top.push(*doc, *score);
                }
            }
        }
        postings.advance();
    }
    Ok(())
}

/// Block maxima were chosen with the segment's own average length. With another average, the true maximum of a block is at most
/// the ratio of the two averages above the stored one.
fn certainty(segment: &SegmentView<'_>, field: Field, similarity: &Bm25) -> Result<f32> {
    let tokens = segment.segment.reader.inverted_index(field)?.total_num_tokens();
    if tokens == 0 {
        return Ok(1.0);
    }
    let average = tokens as f32 / segment.max_doc() as f32;
    let ratio = average / similarity.average_length;
    Ok(if ratio > 1.0 { 1.0 / ratio } else { ratio })
}
