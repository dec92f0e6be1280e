//! `cjk_bigram`: pairs of neighbouring CJK characters.

use super::Filter;
use crate::analysis::tokens::{Kind, Tok, Tokens};

pub struct CjkBigram {
    pub han: bool,
    pub hiragana: bool,
    pub katakana: bool,
    pub hangul: bool,
    pub output_unigrams: bool,
}

impl CjkBigram {
    fn takes(&self, kind: Kind) -> bool {
        match kind {
            Kind::Ideographic => self.han,
            Kind::Hiragana => self.hiragana,
            Kind::Katakana => self.katakana,
            Kind::Hangul => self.hangul,
            _ => false,
        }
    }

    /// Bigrams of characters that stand side by side; one alone is itself.
    fn flush(&self, run: &mut Vec<Tok>, out: &mut Tokens) {
        if run.len() == 1 {
            out.toks.append(run);
            return;
        }
        for i in 0..run.len() {
            let mut inc = run[i].inc;
            if self.output_unigrams {
                out.toks.push(run[i]);
                inc = 0;
            }
            if let Some(next) = run.get(i + 1) {
                let term = [out.text(&run[i]), out.text(next)].concat();
                let (at, len) = out.store(&term);
                let pos_len = if self.output_unigrams { 2 } else { 1 };
                out.toks.push(Tok { at, len, end: next.end, inc, pos_len, kind: Kind::Double, ..run[i] });
            }
        }
        run.clear();
    }
}

impl Filter for CjkBigram {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        let mut run: Vec<Tok> = vec![];
        for tok in old {
            if !self.takes(tok.kind) {
                self.flush(&mut run, tokens);
                tokens.toks.push(tok);
                continue;
            }
            if run.last().is_some_and(|last| last.end != tok.start) {
                self.flush(&mut run, tokens);
            }
            // One entry per character: katakana and hangul come as words.
            let mut offset = 0;
            for c in tokens.text(&tok).chars().collect::<Vec<_>>() {
                let len = c.len_utf8() as u32;
                let inc = if offset == 0 { tok.inc } else { 1 };
                let start = tok.start + offset;
                run.push(Tok { at: tok.at + offset, len, start, end: start + len, inc, kind: Kind::Single, ..tok });
                offset += len;
            }
        }
        self.flush(&mut run, tokens);
    }

    fn disables_graph(&self) -> bool {
        self.output_unigrams
    }
}
