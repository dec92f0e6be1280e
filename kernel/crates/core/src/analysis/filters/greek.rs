//! The Greek stemmer of Lucene: words in lower case without accents, `σ` for `ς`.

use std::sync::LazyLock;

type Letters = Vec<char>;

/// Words whose endings are of their own, with the number of letters that go.
const IRREGULAR: &str = "\
     καθεστωτοσ4 καθεστωτων4 γεγονοτοσ4 γεγονοτων4 καθεστωτα3 τατογιου4 τατογιων4 γεγονοτα3 καθεστωσ2 σκαγιου4 σκαγιων4 \
     ολογιου4 ολογιων4 κρεατοσ4 κρεατων4 περατοσ4 περατων4 τερατοσ4 τερατων4 τατογια3 γεγονοσ2 φαγιου4 φαγιων4 σογιου4 \
     σογιων4 σκαγια3 ολογια3 κρεατα3 περατα3 τερατα3 φαγια3 σογια3 φωτοσ3 φωτων3 κρεασ2 περασ2 τερασ2 φωτα2 φωσ1";

/// Taken off where no rule applied; longest first.
const ENDINGS: &str = "\
     ιοντουσαν ιομασταν ιοσασταν ιουμαστε οντουσαν ιεμαστε ιεσαστε ιομουνα ιοσαστε ιοσουνα ιουνται ιουνταν ηθηκατε ομασταν \
     οσασταν ουμαστε ιομουν ιονταν ιοσουν ηθειτε ηθηκαν ομουνα οσαστε οσουνα ουνται ουνταν ουσατε αγατε ιεμαι ιεται ιεσαι \
     ιοταν ιουμα ηθεισ ηθουν ηκατε ησατε ησουν ομουν ονται ονταν οσουν ουμαι ουσαν αγαν αμαι ασαι αται ειτε εσαι εται ηδεσ \
     ηδων ηθει ηκαν ησαν ησει ησεσ ομαι οταν αει εισ ηθω ησω ουν ουσ αν ασ αω ει εσ ησ οι οσ ου υσ ων";

/// Comparatives and superlatives.
const COMPARED: &str = "εστερ εστατ οτερ οτατ υτερ υτατ ωτερ ωτατ";

struct Rule {
    endings: Vec<(Letters, bool)>,
    back: Letters,
    when: Vec<Condition>,
    never: Vec<Condition>,
}

enum Condition {
    Any,
    Is(Letters),
    Ends(Letters),
    /// The flag: υ counts.
    Vowel(bool),
}

enum Step {
    Rule(Rule),
    /// A word by itself that loses a letter only.
    Agame,
    /// What is left of κρέας.
    Kre,
}

static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    let lines = include_str!("../stemmers/greek.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(parse).collect()
});

fn parse(line: &str) -> Step {
    match line {
        "@7" => return Step::Agame,
        "@10" => return Step::Kre,
        _ => {}
    }
    let mut parts = line.split(';');
    let mut words = || parts.next().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let endings =
        words().map(|ending| (ending.trim_end_matches('!').chars().collect(), ending.ends_with('!'))).collect();
    let back = words().flat_map(str::chars).collect();
    let condition = |word: &str| match word {
        "@any" => Condition::Any,
        "@vowel" => Condition::Vowel(true),
        "@vowel-" => Condition::Vowel(false),
        word => match word.strip_prefix('=') {
            Some(whole) => Condition::Is(whole.chars().collect()),
            None => Condition::Ends(word.chars().collect()),
        },
    };
    let when = words().map(condition).collect();
    let never = words().map(condition).collect();
    Step::Rule(Rule { endings, back, when, never })
}

impl Condition {
    fn holds(&self, word: &[char]) -> bool {
        match self {
            Condition::Any => true,
            Condition::Is(whole) => word == whole.as_slice(),
            Condition::Ends(ending) => word.ends_with(ending),
            Condition::Vowel(upsilon) => word.last().is_some_and(|c| "αεηιοω".contains(*c) || (*upsilon && *c == 'υ')),
        }
    }
}

impl Rule {
    fn apply(&self, word: &mut Letters) {
        let fits = |(ending, whole): &&(Letters, bool)| word.ends_with(ending) && (*whole || word.len() > ending.len());
        let Some((ending, _)) = self.endings.iter().find(fits) else { return };
        word.truncate(word.len() - ending.len());
        let holds = |conditions: &[Condition]| conditions.iter().any(|condition| condition.holds(word));
        if holds(&self.when) && !holds(&self.never) {
            word.extend(&self.back);
        }
    }
}

fn ends(word: &[char], ending: &str) -> bool {
    let count = ending.chars().count();
    word.len() >= count && word[word.len() - count..].iter().copied().eq(ending.chars())
}

pub fn greek(word: &mut Letters) {
    if word.len() < 4 {
        return;
    }
    let before = word.len();
    let irregular = IRREGULAR.split(' ').find(|rule| ends(word, rule.trim_end_matches(|c: char| c.is_ascii_digit())));
    if let Some(rule) = irregular {
        let gone = rule.chars().last().and_then(|c| c.to_digit(10)).unwrap_or(0);
        word.truncate(word.len() - gone as usize);
    }
    for step in STEPS.iter() {
        match step {
            Step::Rule(rule) => rule.apply(word),
            Step::Agame if word.iter().copied().eq("αγαμε".chars()) => word.truncate(4),
            Step::Kre if word.len() + 5 == before && ends(word, "κρε") => word.extend("ωντ".chars()),
            Step::Agame | Step::Kre => {}
        }
    }
    if word.len() == before {
        let fits = |ending: &&str| word.len() > ending.chars().count() && ends(word, ending);
        if let Some(ending) = ENDINGS.split(' ').find(fits) {
            word.truncate(word.len() - ending.chars().count());
        } else if word.len() > 1 && Condition::Vowel(true).holds(word) {
            word.pop();
        }
    }
    if let Some(ending) = COMPARED.split(' ').find(|ending| ends(word, ending)) {
        word.truncate(word.len() - ending.chars().count());
    }
}
