//! Light stemmers (Savoy's, of the University of Neuchâtel): they take off plurals and a few endings.

/// A word as letters.
type Letters = Vec<char>;

fn ends(w: &[char], ending: &str) -> bool {
    let n = ending.chars().count();
    w.len() >= n && w[w.len() - n..].iter().copied().eq(ending.chars())
}

fn cut(w: &mut Letters, n: usize) {
    w.truncate(w.len().saturating_sub(n));
}

fn set_last(w: &mut Letters, back: usize, c: char) {
    let n = w.len();
    w[n - back] = c;
}

/// English plurals only.
pub fn minimal_english(w: &mut Letters) {
    let n = w.len();
    if n < 3 || w[n - 1] != 's' || matches!(w[n - 2], 'u' | 's') {
        return;
    }
    if w[n - 2] == 'e' {
        if n > 3 && w[n - 3] == 'i' && !matches!(w[n - 4], 'a' | 'e') {
            w.truncate(n - 2);
            set_last(w, 1, 'y');
            return;
        }
        if matches!(w[n - 3], 'i' | 'a' | 'o' | 'e') {
            return;
        }
    }
    cut(w, 1);
}

/// English plurals, with more cases than `minimal_english`: `boxes`, `churches`, `dresses` lose their `es`.
pub fn plural_english(w: &mut Letters) {
    const OES: &str = "canoes oboes shoes";
    const CHES: &str =
        "aches avalanches caches cliches headaches heartaches moustaches mustaches porsches quiches tranches";
    let n = w.len();
    if n < 3 || w[n - 1] != 's' || matches!(w[n - 2], 'u' | 's') {
        return;
    }
    let whole = |words: &str| words.split(' ').any(|word| w.iter().copied().eq(word.chars()));
    if w[n - 2] == 'e' && n == 4 && w[1] == 'o' {
        return cut(w, 2);
    }
    if w[n - 2] == 'e' && n > 4 {
        let long = match (w[n - 4], w[n - 3]) {
            (_, 'i') => {
                w.truncate(n - 2);
                return set_last(w, 1, 'y');
            }
            (_, 'x') | ('s', 's' | 'h') => true,
            (_, 'o') => !whole(OES),
            ('c', 'h') => !whole(CHES),
            _ => false,
        };
        return cut(w, if long { 2 } else { 1 });
    }
    cut(w, 1);
}

fn fold_vowel(c: char) -> char {
    match c {
        'ä' | 'à' | 'á' | 'â' => 'a',
        'ö' | 'ò' | 'ó' | 'ô' => 'o',
        'ï' | 'ì' | 'í' | 'î' => 'i',
        'ü' | 'ù' | 'ú' | 'û' => 'u',
        _ => c,
    }
}

pub fn german(w: &mut Letters) {
    w.iter_mut().for_each(|c| *c = fold_vowel(*c));
    german_step1(w);
    german_step2(w);
}

/// Endings that may stand before a final s or st.
fn german_st(c: char) -> bool {
    matches!(c, 'b' | 'd' | 'f' | 'g' | 'h' | 'k' | 'l' | 'm' | 'n' | 't')
}

fn german_step1(w: &mut Letters) {
    let n = w.len();
    if n > 5 && ends(w, "ern") {
        return cut(w, 3);
    }
    if n > 4 && w[n - 2] == 'e' && matches!(w[n - 1], 'm' | 'n' | 'r' | 's') {
        return cut(w, 2);
    }
    if n > 3 && w[n - 1] == 'e' {
        return cut(w, 1);
    }
    if n > 3 && w[n - 1] == 's' && german_st(w[n - 2]) {
        cut(w, 1);
    }
}

fn german_step2(w: &mut Letters) {
    let n = w.len();
    if n > 5 && ends(w, "est") {
        return cut(w, 3);
    }
    if n > 4 && w[n - 2] == 'e' && matches!(w[n - 1], 'r' | 'n') {
        return cut(w, 2);
    }
    if n > 4 && ends(w, "st") && german_st(w[n - 3]) {
        cut(w, 2);
    }
}

pub fn minimal_german(w: &mut Letters) {
    if w.len() < 5 {
        return;
    }
    w.iter_mut().for_each(|c| {
        *c = match *c {
            'ä' => 'a',
            'ö' => 'o',
            'ü' => 'u',
            other => other,
        }
    });
    let n = w.len();
    if n > 6 && ends(w, "nen") {
        return cut(w, 3);
    }
    if n > 5 && ["en", "se", "es", "er"].iter().any(|e| ends(w, e)) {
        return cut(w, 2);
    }
    if matches!(w[n - 1], 'n' | 'e' | 's' | 'r') {
        cut(w, 1);
    }
}

pub fn minimal_french(w: &mut Letters) {
    let n = w.len();
    if n < 6 {
        return;
    }
    if w[n - 1] == 'x' {
        if w[n - 3] == 'a' && w[n - 2] == 'u' {
            set_last(w, 2, 'l');
        }
        return cut(w, 1);
    }
    for last in ['s', 'r', 'e', 'é'] {
        if w.last() == Some(&last) {
            cut(w, 1);
        }
    }
    let n = w.len();
    if n >= 2 && w[n - 1] == w[n - 2] {
        cut(w, 1);
    }
}

/// (least length, ending, letters cut, new letters at the end)
type Rule = (usize, &'static str, usize, &'static str);

/// The first rule that fits; its new letters stand instead of as many before the cut.
fn first(w: &mut Letters, rules: &[Rule]) -> bool {
    let Some((_, _, n, new)) = rules.iter().find(|(least, ending, ..)| w.len() > *least && ends(w, ending)) else {
        return false;
    };
    cut(w, *n);
    cut(w, new.chars().count());
    w.extend(new.chars());
    true
}

const FRENCH_AGENTS: [Rule; 6] = [
    (11, "ficatrice", 5, "er"),
    (10, "ficateur", 4, "er"),
    (9, "catrice", 3, "quer"),
    (8, "cateur", 2, "quer"),
    (8, "atrice", 4, "er"),
    (7, "ateur", 3, "er"),
];

const FRENCH_ADJECTIVES: [Rule; 9] = [
    (7, "teuse", 2, "r"),
    (6, "teur", 1, "r"),
    (5, "euse", 2, ""),
    (8, "ère", 1, "er"),
    (7, "ive", 1, "f"),
    (4, "folle", 2, "u"),
    (4, "molle", 2, "u"),
    (9, "nnelle", 5, ""),
    (9, "nnel", 3, ""),
];

pub fn french(w: &mut Letters) {
    let n = w.len();
    if n > 5 && w[n - 1] == 'x' {
        if w[n - 3] == 'a' && w[n - 2] == 'u' && w[n - 4] != 'e' {
            w[n - 2] = 'l';
        }
        cut(w, 1);
    }
    for last in ['x', 's'] {
        if w.len() > 3 && w.last() == Some(&last) {
            cut(w, 1);
        }
    }
    french_endings(w);
    french_normal(w);
}

fn french_endings(w: &mut Letters) {
    if first(w, &[(9, "issement", 6, "r"), (8, "issant", 4, "r")]) {
        return;
    }
    if first(w, &[(6, "ement", 4, "")]) {
        if w.len() > 3 && ends(w, "ive") {
            cut(w, 2);
            w.push('f');
        }
        return;
    }
    if first(w, &FRENCH_AGENTS) {
        return;
    }
    first(w, &[(6, "trice", 1, "eur")]);
    if first(w, &[(5, "ième", 4, "")]) || first(w, &FRENCH_ADJECTIVES) {
        return;
    }
    first(w, &[(4, "ète", 1, "et")]);
    first(w, &[(8, "ique", 4, "")]);
    if first(w, &[(8, "esse", 3, ""), (7, "inage", 3, "")]) {
        return;
    }
    if first(w, &[(9, "isation", 7, "")]) {
        if w.len() > 5 && ends(w, "ual") {
            let n = w.len();
            w[n - 2] = 'e';
        }
        return;
    }
    first(w, &[(9, "isateur", 7, ""), (8, "ation", 5, ""), (8, "ition", 5, "")]);
}

fn french_normal(w: &mut Letters) {
    if w.len() > 4 {
        w.iter_mut().for_each(|c| {
            *c = match *c {
                'à' | 'á' | 'â' => 'a',
                'ô' => 'o',
                'è' | 'é' | 'ê' => 'e',
                'ù' | 'û' => 'u',
                'î' => 'i',
                'ç' => 'c',
                other => other,
            }
        });
        w.dedup_by(|b, a| a == b && a.is_alphabetic());
    }
    if w.len() > 4 && ends(w, "ie") {
        cut(w, 2);
    }
    if w.len() > 4 {
        for last in ['r', 'e', 'e'] {
            if w.last() == Some(&last) {
                cut(w, 1);
            }
        }
        let n = w.len();
        if n >= 2 && w[n - 1] == w[n - 2] && w[n - 1].is_alphabetic() {
            cut(w, 1);
        }
    }
}

pub fn spanish(w: &mut Letters) {
    if w.len() < 5 {
        return;
    }
    w.iter_mut().for_each(|c| {
        *c = match *c {
            'à' | 'á' | 'â' | 'ä' => 'a',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            other => other,
        }
    });
    let n = w.len();
    match w[n - 1] {
        'o' | 'a' | 'e' => cut(w, 1),
        's' => {
            if w[n - 2] == 'e' && w[n - 3] == 's' && w[n - 4] == 'e' {
                cut(w, 2);
            } else if w[n - 2] == 'e' && w[n - 3] == 'c' {
                w[n - 3] = 'z';
                cut(w, 2);
            } else if matches!(w[n - 2], 'o' | 'a' | 'e') {
                cut(w, 2);
            }
        }
        _ => {}
    }
}

pub fn italian(w: &mut Letters) {
    if w.len() < 6 {
        return;
    }
    w.iter_mut().for_each(|c| {
        *c = match *c {
            'à' | 'á' | 'â' | 'ä' => 'a',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            other => other,
        }
    });
    let n = w.len();
    match (w[n - 1], w[n - 2]) {
        ('e', 'i' | 'h') | ('i', 'h' | 'i') | ('a', 'i') | ('o', 'i') => cut(w, 2),
        ('e' | 'i' | 'a' | 'o', _) => cut(w, 1),
        _ => {}
    }
}

fn portuguese_plural(w: &mut Letters) {
    let n = w.len();
    if n > 4 && ends(w, "es") && matches!(w[n - 3], 'r' | 's' | 'l' | 'z') {
        return cut(w, 2);
    }
    let rules: [Rule; 9] = [
        (3, "ns", 1, "m"),
        (4, "eis", 1, "el"),
        (4, "éis", 1, "el"),
        (4, "ais", 1, "l"),
        (4, "óis", 1, "ol"),
        (4, "is", 0, "l"),
        (3, "ões", 1, "ão"),
        (3, "ães", 1, "ão"),
        (6, "mente", 5, ""),
    ];
    if !first(w, &rules) && n > 3 && w[n - 1] == 's' {
        cut(w, 1);
    }
}

pub fn portuguese(w: &mut Letters) {
    if w.len() < 4 {
        return;
    }
    portuguese_plural(w);
    if w.len() > 3 && w.last() == Some(&'a') {
        portuguese_feminine(w);
    }
    if w.len() > 4 && matches!(w.last(), Some('e' | 'a' | 'o')) {
        cut(w, 1);
    }
    w.iter_mut().for_each(|c| {
        *c = match *c {
            'à' | 'á' | 'â' | 'ä' | 'ã' => 'a',
            'ò' | 'ó' | 'ô' | 'ö' | 'õ' => 'o',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ç' => 'c',
            other => other,
        }
    });
}

fn portuguese_feminine(w: &mut Letters) {
    let n = w.len();
    if n > 7 && ["inha", "iaca", "eira"].iter().any(|e| ends(w, e)) {
        return set_last(w, 1, 'o');
    }
    if n > 6 {
        if ["osa", "ica", "ida", "ada", "iva", "ama"].iter().any(|e| ends(w, e)) {
            return set_last(w, 1, 'o');
        }
        if ends(w, "ona") {
            set_last(w, 3, 'ã');
            set_last(w, 2, 'o');
            return cut(w, 1);
        }
        if ends(w, "ora") {
            return cut(w, 1);
        }
        if ends(w, "esa") {
            set_last(w, 3, 'ê');
            return cut(w, 1);
        }
        if ends(w, "na") {
            set_last(w, 1, 'o');
        }
    }
}

pub fn swedish(w: &mut Letters) {
    if w.len() > 4 && w.last() == Some(&'s') {
        cut(w, 1);
    }
    let rules: [(usize, usize, &[&str]); 4] = [
        (7, 5, &["elser", "heten"]),
        (6, 4, &["arne", "erna", "ande", "else", "aste", "orna", "aren"]),
        (5, 3, &["are", "ast", "het"]),
        (4, 2, &["ar", "er", "or", "en", "at", "te", "et"]),
    ];
    for (least, n, endings) in rules {
        if w.len() > least && endings.iter().any(|e| ends(w, e)) {
            return cut(w, n);
        }
    }
    if w.len() > 3 && matches!(w.last(), Some('t' | 'a' | 'e' | 'n')) {
        cut(w, 1);
    }
}
