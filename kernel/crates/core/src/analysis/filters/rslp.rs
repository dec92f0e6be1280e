//! The RSLP stemmers of Galician and Portuguese: steps of rules that take off or replace endings.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

struct Rule {
    ending: Vec<char>,
    least: usize,
    replacement: Vec<char>,
    exceptions: Vec<Vec<char>>,
}

struct Step {
    shortest: usize,
    /// Exceptions are whole words, not endings.
    words: bool,
    endings: Vec<Vec<char>>,
    rules: Vec<Rule>,
}

type Steps = FxHashMap<&'static str, Step>;

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn parse(text: &'static str) -> Steps {
    let mut steps = Steps::default();
    let mut name = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split(' ');
        let first = parts.next().unwrap_or_default();
        if first == "=" {
            name = parts.next().unwrap_or_default();
            let shortest = parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let words = parts.next() == Some("words");
            steps.insert(name, Step { shortest, words, endings: parts.map(letters).collect(), rules: vec![] });
        } else if let Some(step) = steps.get_mut(name) {
            let least = parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let replacement = parts.next().filter(|r| *r != "-").map(letters).unwrap_or_default();
            let exceptions = parts.map(letters).collect();
            step.rules.push(Rule { ending: letters(first), least, replacement, exceptions });
        }
    }
    for step in steps.values_mut().filter(|step| step.shortest == 0) {
        step.shortest = step.rules.iter().map(|rule| rule.least + rule.ending.len()).min().unwrap_or(0);
    }
    steps
}

impl Step {
    /// Whether a rule applied that shortened or lengthened the word.
    fn apply(&self, word: &mut Vec<char>) -> bool {
        let before = word.len();
        let looks = self.endings.is_empty() || self.endings.iter().any(|ending| word.ends_with(ending));
        if word.len() < self.shortest || !looks {
            return false;
        }
        if let Some(rule) = self.rules.iter().find(|rule| self.takes(rule, word)) {
            word.truncate(word.len() - rule.ending.len());
            word.extend(&rule.replacement);
        }
        word.len() != before
    }

    fn takes(&self, rule: &Rule, word: &[char]) -> bool {
        let excepted = |exception: &Vec<char>| {
            if self.words { word == exception.as_slice() } else { word.ends_with(exception) }
        };
        word.len() >= rule.least + rule.ending.len()
            && word.ends_with(&rule.ending)
            && !rule.exceptions.iter().any(excepted)
    }
}

static GALICIAN: LazyLock<Steps> = LazyLock::new(|| parse(include_str!("../stemmers/galician.txt")));
static PORTUGUESE: LazyLock<Steps> = LazyLock::new(|| parse(include_str!("../stemmers/portuguese.txt")));

pub fn galician(word: &mut Vec<char>) {
    let steps = &*GALICIAN;
    for name in ["plural", "unification", "adverb"] {
        steps[name].apply(word);
    }
    while steps["augmentative"].apply(word) {}
    if !steps["noun"].apply(word) {
        steps["verb"].apply(word);
    }
    steps["vowel"].apply(word);
    word.iter_mut().for_each(|c| {
        *c = match *c {
            'á' => 'a',
            'é' | 'ê' => 'e',
            'í' => 'i',
            'ó' => 'o',
            'ú' => 'u',
            other => other,
        }
    });
}

pub fn portuguese(word: &mut Vec<char>) {
    let steps = &*PORTUGUESE;
    for name in ["plural", "adverb", "feminine", "augmentative"] {
        steps[name].apply(word);
    }
    if !steps["noun"].apply(word) && !steps["verb"].apply(word) {
        steps["vowel"].apply(word);
    }
    plain(word);
}

/// Without the marks of Latin letters.
fn plain(word: &mut [char]) {
    word.iter_mut().for_each(|c| {
        *c = match *c {
            'à'..='å' => 'a',
            'ç' => 'c',
            'è'..='ë' => 'e',
            'ì'..='ï' => 'i',
            'ñ' => 'n',
            'ò'..='ö' => 'o',
            'ù'..='ü' => 'u',
            'ý' | 'ÿ' => 'y',
            other => other,
        }
    });
}

/// Galician words in the singular.
pub fn minimal_galician(word: &mut Vec<char>) {
    GALICIAN["plural"].apply(word);
}

/// Portuguese words in the singular.
pub fn minimal_portuguese(word: &mut Vec<char>) {
    PORTUGUESE["plural"].apply(word);
}
