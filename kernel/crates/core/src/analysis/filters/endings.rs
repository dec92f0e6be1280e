//! Stemmers that take endings off by short tables: of Arabic, Bengali, Bulgarian, Czech, Hindi, Indonesian, Latvian, Persian and Sorani,
//! by the algorithms that Lucene uses (Larkey et al., Savoy, Ramanathan and Rao, Nakov, Dolamic and Savoy, Tala, Kreslins).

type Letters = Vec<char>;

fn ends(word: &[char], ending: &str) -> bool {
    let mut at = word.len();
    ending.chars().rev().all(|c| {
        at = at.wrapping_sub(1);
        word.get(at) == Some(&c)
    })
}

fn ends_in(word: &[char], endings: &str) -> bool {
    endings.split(' ').any(|ending| ends(word, ending))
}

fn cut(word: &mut Letters, count: usize) {
    word.truncate(word.len().saturating_sub(count));
}

/// Replaces the letter so many places before the end.
fn set(word: &mut Letters, back: usize, c: char) {
    let at = word.len() - back;
    word[at] = c;
}

/// Takes off the first ending of a list, longest first, that leaves at least two letters.
fn strip_longest(word: &mut Letters, endings: &str) {
    let fits = |ending: &&str| word.len() > ending.chars().count() + 1 && ends(word, ending);
    if let Some(ending) = endings.split(' ').find(fits) {
        cut(word, ending.chars().count());
    }
}

/// Takes off each ending of a list in turn that leaves at least two letters.
fn strip_each(word: &mut Letters, endings: &str) {
    for ending in endings.split(' ') {
        let count = ending.chars().count();
        if word.len() >= count + 2 && ends(word, ending) {
            cut(word, count);
        }
    }
}

pub fn arabic(word: &mut Letters) {
    for prefix in ["ال", "وال", "بال", "كال", "فال", "لل", "و"] {
        let count = prefix.chars().count();
        let least = if count == 1 { 4 } else { count + 2 };
        if word.len() >= least && word.iter().copied().take(count).eq(prefix.chars()) {
            word.drain(..count);
            break;
        }
    }
    strip_each(word, "ها ان ات ون ين يه ية ه ة ي");
}

pub fn persian(word: &mut Letters) {
    strip_each(word, "ات ان ترين تر يي ي ها \u{200c}");
}

pub fn hindi(word: &mut Letters) {
    const ENDINGS: &str = "\
     ाएंगी ाएंगे ाऊंगी ाऊंगा ाइयाँ ाइयों ाइयां ाएगी ाएगा ाओगी ाओगे एंगी ेंगी एंगे ेंगे ूंगी ूंगा ातीं नाओं नाएं ताओं ताएं \
     ियाँ ियों ियां ाकर ाइए ाईं ाया ेगी ेगा ोगी ोगे ाने ाना ाते ाती ाता तीं ाओं ाएं ुओं ुएं ुआं कर ाओ िए ाई ाए ने नी ना ते \
     ीं ती ता ाँ ां ों ें ो े ू ु ी ि ा";
    strip_longest(word, ENDINGS);
}

pub fn bengali(word: &mut Letters) {
    const ENDINGS: &str = "\
     িয়াছিলাম িতেছিলাম িতেছিলেন ইতেছিলেন িয়াছিলেন ইয়াছিলেন িতেছিলি িতেছিলে িয়াছিলা িয়াছিলে িতেছিলা িয়াছিলি য়েদেরকে িতেছিস \
     িতেছেন িয়াছিস িয়াছেন েছিলাম েছিলেন েদেরকে িতেছি িতেছা িতেছে ছিলাম ছিলেন িয়াছি িয়াছা িয়াছে েছিলে েছিলা য়েদের দেরকে িলাম \
     িলেন িতাম িতেন িবেন ছিলি ছিলে ছিলা তেছে িতেছ খানা খানি গুলো গুলি য়েরা েদের লাম িলি ইলি িলে ইলে লেন িলা ইলা তাম িতি ইতি \
     িতে ইতে তেন িতা িবা ইবা িবি ইবি বেন িবে ইবে ছেন য়োন য়ের েরা দের িস েন লি লে লা তি তে তা বি বে বা ছি ছা ছে ুন ুক টা টি \
     নি ের রা কে ি ী া ো ে ব ত";
    strip_longest(word, ENDINGS);
}

pub fn bulgarian(word: &mut Letters) {
    let n = word.len();
    if n < 4 {
        return;
    }
    if n > 5 && ends(word, "ища") {
        return cut(word, 3);
    }
    bulgarian_article(word);
    bulgarian_plural(word);
    if word.len() > 3 {
        if ends(word, "я") {
            cut(word, 1);
        }
        if ends_in(word, "а о е") {
            cut(word, 1);
        }
    }
    if word.len() > 4 && ends(word, "ен") {
        set(word, 2, 'н');
        cut(word, 1);
    }
    if word.len() > 5 && word[word.len() - 2] == 'ъ' {
        let last = word[word.len() - 1];
        set(word, 2, last);
        cut(word, 1);
    }
}

fn bulgarian_article(word: &mut Letters) {
    let n = word.len();
    if n > 6 && ends(word, "ият") {
        cut(word, 3);
    } else if (n > 5 && ends_in(word, "ът то те та ия")) || (n > 4 && ends(word, "ят")) {
        cut(word, 2);
    }
}

fn bulgarian_plural(word: &mut Letters) {
    let n = word.len();
    let change = |word: &mut Letters, back: usize, c: char, count: usize| {
        set(word, back, c);
        cut(word, count);
    };
    let at = |word: &Letters, back: usize| word[word.len() - back];
    if n > 6 && ends_in(word, "овци ове") {
        cut(word, 3);
    } else if n > 6 && ends(word, "еве") {
        change(word, 3, 'й', 2);
    } else if n > 5 && ends(word, "ища") {
        cut(word, 3);
    } else if n > 5 && ends(word, "та") {
        cut(word, 2);
    } else if n > 5 && ends(word, "ци") {
        change(word, 2, 'к', 1);
    } else if n > 5 && ends(word, "зи") {
        change(word, 2, 'г', 1);
    } else if n > 5 && at(word, 3) == 'е' && at(word, 1) == 'и' {
        change(word, 3, 'я', 1);
    } else if n > 4 && ends(word, "си") {
        change(word, 2, 'х', 1);
    } else if n > 4 && ends(word, "и") {
        cut(word, 1);
    }
}

pub fn czech(word: &mut Letters) {
    let n = word.len();
    if n > 7 && ends(word, "atech") {
        cut(word, 5);
    } else if n > 6 && ends_in(word, "ětem etem atům") {
        cut(word, 4);
    } else if n > 5
        && ends_in(
            word,
            "ech ich ích ého ěmi emi ému ěte ete ěti eti ího iho ími ímu imu ách ata aty ých ama ami ové ovi ými",
        )
    {
        cut(word, 3);
    } else if n > 4 && ends_in(word, "em es ém ím ům at ám os us ým mi ou") {
        cut(word, 2);
    } else if n > 3 && ends_in(word, "a e i o u ů y á é í ý ě") {
        cut(word, 1);
    }
    if word.len() > 5 && ends_in(word, "ov in ův") {
        cut(word, 2);
    }
    czech_normal(word);
}

fn czech_normal(word: &mut Letters) {
    let n = word.len();
    if n == 0 {
    } else if ends(word, "čt") {
        set(word, 2, 'c');
        set(word, 1, 'k');
    } else if ends(word, "št") {
        set(word, 2, 's');
        set(word, 1, 'k');
    } else if ends_in(word, "c č") {
        set(word, 1, 'k');
    } else if ends_in(word, "z ž") {
        set(word, 1, 'h');
    } else if n > 1 && word[n - 2] == 'e' {
        word.remove(n - 2);
    } else if n > 2 && word[n - 2] == 'ů' {
        set(word, 2, 'o');
    }
}

pub fn sorani(word: &mut Letters) {
    let n = word.len();
    if n > 5 && ends(word, "دا") {
        cut(word, 2);
    } else if n > 4 && ends(word, "نا") {
        cut(word, 1);
    } else if n > 6 && ends(word, "ەوە") {
        cut(word, 3);
    }
    if word.len() > 6 && ends_in(word, "مان یان تان") {
        cut(word, 3);
    }
    // Ending, least length before it is taken off, letters taken off.
    const ENDINGS: [(&str, usize, usize); 18] = [
        ("ێکی", 7, 3),
        ("یەکی", 8, 4),
        ("ێک", 6, 2),
        ("یەک", 7, 3),
        ("ەکە", 7, 3),
        ("کە", 6, 2),
        ("ەکان", 8, 4),
        ("کان", 7, 3),
        ("یانی", 8, 4),
        ("انی", 7, 3),
        ("یان", 7, 3),
        ("ان", 6, 2),
        ("یانە", 8, 4),
        ("انە", 7, 3),
        ("ایە", 6, 2),
        ("ەیە", 6, 2),
        ("ە", 5, 1),
        ("ی", 5, 1),
    ];
    let fits = |(ending, least, _): &&(&str, usize, usize)| word.len() >= *least && ends(word, ending);
    if let Some((_, _, count)) = ENDINGS.iter().find(fits) {
        cut(word, *count);
    }
}

pub fn latvian(word: &mut Letters) {
    // Ending, vowels in it; the marked ones soften what stands before them.
    const ENDINGS: &str = "ajiem3 ajai3 ajam2 ajām2 ajos2 ajās2 iem2* ajā2 ais2 ai2 ei2 ām1 am1 ēm1 īm1 im1 um1 us1* as1 ās1 es1 os1* ij1 īs1 \
                           ēs1 is1 ie1 u1* a1* i1* e1 ā1 ē1 ī1 ū1 o1 s0 š0";
    let vowels = word.iter().filter(|c| "aeiouāīēū".contains(**c)).count();
    for rule in ENDINGS.split(' ') {
        let (rule, softens) = rule.strip_suffix('*').map_or((rule, false), |rule| (rule, true));
        let (ending, own) = rule.split_at(rule.len() - 1);
        let count = ending.chars().count();
        if vowels > own.parse().unwrap_or(0) && word.len() >= count + 3 && ends(word, ending) {
            cut(word, count);
            if softens {
                latvian_harden(word, ending == "u");
            }
            return;
        }
    }
}

fn latvian_harden(word: &mut Letters, before_u: bool) {
    if before_u && ends(word, "kš") {
        set(word, 1, 's');
        word.push('t');
        return;
    }
    if before_u && ends(word, "ņņ") {
        set(word, 2, 'n');
        return set(word, 1, 'n');
    }
    if ends_in(word, "pj bj mj vj") {
        return cut(word, 1);
    }
    for (soft, hard) in [
        ("šņ", ['s', 'n']),
        ("žņ", ['z', 'n']),
        ("šļ", ['s', 'l']),
        ("žļ", ['z', 'l']),
        ("ļņ", ['l', 'n']),
        ("ļļ", ['l', 'l']),
    ] {
        if ends(word, soft) {
            set(word, 2, hard[0]);
            return set(word, 1, hard[1]);
        }
    }
    match word.last() {
        Some('č') => set(word, 1, 'c'),
        Some('ļ') => set(word, 1, 'l'),
        Some('ņ') => set(word, 1, 'n'),
        _ => {}
    }
}
