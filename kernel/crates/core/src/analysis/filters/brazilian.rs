//! Lucene's stemmer of Brazilian Portuguese, with its peculiarities: endings that are found yet stay count as taken off.

/// (ending, what comes in its place) where R2 must hold the ending; longest first. `=` leaves the word as it is.
const STANDARD: [(&str, &str); 42] = [
    ("uciones", "u"),
    ("imentos", ""),
    ("amentos", ""),
    ("adores", ""),
    ("adoras", ""),
    ("logias", "="),
    ("encias", "ente"),
    ("amente", "1"),
    ("idades", ""),
    ("acoes", ""),
    ("imento", ""),
    ("amento", ""),
    ("adora", ""),
    ("ismos", ""),
    ("istas", ""),
    ("logia", "log"),
    ("ucion", "u"),
    ("encia", "ente"),
    ("mente", ""),
    ("idade", ""),
    ("acao", ""),
    ("ezas", ""),
    ("icos", ""),
    ("icas", ""),
    ("ismo", ""),
    ("avel", ""),
    ("ivel", ""),
    ("ista", ""),
    ("osos", ""),
    ("osas", ""),
    ("ador", ""),
    ("ivas", ""),
    ("ivos", ""),
    ("iras", "ir"),
    ("eza", ""),
    ("ico", ""),
    ("ica", ""),
    ("oso", ""),
    ("osa", ""),
    ("iva", ""),
    ("ivo", ""),
    ("ira", "ir"),
];

/// Endings of verbs, looked for in RV, longest first. The marked one is found yet stays.
const VERBS: &str = "issemos essemos assemos ariamos eriamos iriamos iremos eremos aremos avamos iramos eramos aramos asseis esseis isseis \
     arieis erieis irieis irmos iamos armos ermos areis ereis ireis asses esses isses astes assem essem issem ardes erdes \
     irdes ariam eriam iriam arias erias irias estes istes aveis aria eria iria asse esse isse aste este iste arei erei \
     irei aram eram iram avam arem erem irem ando endo indo arao erao irao adas idas aras eras iras avas ares eres ires \
     ados idos amos emos imos ieis ada ida ara era ira! iam ado ido ias ais eis ear ia ei am em ar er ir as es is eu iu ou";

pub fn brazilian(word: &mut Vec<char>) {
    let text: String = word.iter().collect();
    if let Some(stem) = stem(&text) {
        word.clear();
        word.extend(stem.chars());
    }
}

/// None: the word is too short or too long.
fn stem(term: &str) -> Option<String> {
    let mut word = plain(term);
    let length = word.chars().count();
    if !(3..30).contains(&length) {
        return None;
    }
    if !word.chars().all(crate::analysis::tokenizers::chars::is_letter) {
        return Some(word);
    }
    let first = region(&word);
    let second = first.as_deref().and_then(region);
    let verbal = verbal_region(&word);
    if standard(&mut word, first.as_deref(), second.as_deref(), verbal.as_deref()) || verb(&mut word, verbal.as_deref())
    {
        if verbal.as_deref().is_some_and(|rv| rv.ends_with("ci")) {
            take(&mut word, "i");
        }
    } else if let Some(ending) =
        ["os", "a", "i", "o"].into_iter().find(|e| verbal.as_deref().is_some_and(|rv| rv.ends_with(e)))
    {
        take(&mut word, ending);
    }
    if let Some(rv) = verbal.as_deref().filter(|rv| rv.ends_with('e')) {
        take(&mut word, "e");
        if rv.ends_with("gue") {
            take(&mut word, "u");
        } else if rv.ends_with("cie") {
            take(&mut word, "i");
        }
    }
    Some(word)
}

/// Lower case without marks, and without punctuation at its ends.
fn plain(term: &str) -> String {
    let letter = |c: char| match c {
        'á' | 'â' | 'ã' => 'a',
        'é' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ô' | 'õ' => 'o',
        'ú' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    };
    let mut word: String = term.to_lowercase().chars().map(letter).collect();
    let mark = |c: char| matches!(c, '"' | '\'' | '-' | ',' | ';' | '.' | '?' | '!');
    if word.chars().count() >= 2 && word.starts_with(mark) {
        word.remove(0);
    }
    if word.chars().count() >= 2 && word.ends_with(mark) {
        word.pop();
    }
    word
}

fn vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// What follows the first consonant behind a vowel; the last letter is not looked at.
fn region(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let last = letters.len().checked_sub(1)?;
    let at = letters[..last].iter().position(|c| vowel(*c))?;
    let consonant = at + letters[at..last].iter().position(|c| !vowel(*c))?;
    Some(letters[consonant + 1..].iter().collect())
}

fn verbal_region(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let last = letters.len().checked_sub(1)?;
    let behind = |wanted: fn(char) -> bool| -> Option<String> {
        let at = letters.get(2..last)?.iter().position(|c| wanted(*c))? + 2;
        Some(letters[at + 1..].iter().collect())
    };
    if last > 0
        && !vowel(letters[1])
        && let Some(found) = behind(vowel)
    {
        return Some(found);
    }
    if last > 1
        && vowel(letters[0])
        && vowel(letters[1])
        && let Some(found) = behind(|c| !vowel(c))
    {
        return Some(found);
    }
    (last > 2).then(|| letters[3..].iter().collect())
}

fn take(word: &mut String, ending: &str) {
    if word.ends_with(ending) {
        word.truncate(word.len() - ending.len());
    }
}

fn standard(word: &mut String, first: Option<&str>, second: Option<&str>, verbal: Option<&str>) -> bool {
    let holds = |region: Option<&str>, ending: &str| region.is_some_and(|region| region.ends_with(ending));
    for (ending, instead) in STANDARD.into_iter().filter(|(ending, _)| word.ends_with(ending)) {
        let found = match instead {
            "1" => holds(first, ending),
            "ir" => holds(verbal, ending) && word[..word.len() - ending.len()].ends_with('e'),
            _ => holds(second, ending),
        };
        if found {
            if instead != "=" {
                take(word, ending);
                word.push_str(if instead == "1" { "" } else { instead });
            }
            return true;
        }
    }
    false
}

fn verb(word: &mut String, verbal: Option<&str>) -> bool {
    let Some(verbal) = verbal else { return false };
    let found = VERBS.split(' ').find(|ending| verbal.ends_with(ending.trim_end_matches('!')));
    if let Some(ending) = found {
        take(word, ending);
    }
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_lucene() {
        for (word, expected) in [
            ("boataria", "boat"),
            ("quilométricas", "quilometr"),
            ("quintessência", "quintessente"),
            ("aa", "aa"),
            ("quinzena", "quinzen"),
        ] {
            let mut letters: Vec<char> = word.chars().collect();
            brazilian(&mut letters);
            assert_eq!(letters.iter().collect::<String>(), expected);
        }
    }
}
