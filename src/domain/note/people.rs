//! Who took part.

use super::lexicon::{Label, month_of, weekday_of};
use super::sentences::plain;
use super::{Named, Reader};

impl Reader<'_> {
    pub(super) fn people(&mut self) {
        let labelled = self.all.iter().filter(|s| s.label == Some(Label::People));
        let (mut found, mut from, mut sure) = (Vec::<String>::new(), "", 0.9);
        for sentence in labelled {
            from = if from.is_empty() { sentence.text } else { from };
            found.extend(listed(sentence.text));
        }
        if found.is_empty() {
            sure = 0.7;
            for sentence in self.all.iter().filter(|s| !s.ahead) {
                let named = self.met(sentence.text);
                if !named.is_empty() {
                    from = if from.is_empty() { sentence.text } else { from };
                    found.extend(named);
                }
            }
        }
        let mut seen = Vec::new();
        found.retain(|name| {
            !seen.contains(name) && {
                seen.push(name.clone());
                true
            }
        });
        if !found.is_empty() {
            let text = found.join(", ");
            self.propose("participants", text, sure, from);
        }
    }

    /// People behind "with" and "met": names of one or two capitalised words, in a row.
    fn met(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let raw: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
        let mut at = 0;
        while at < raw.len() {
            let word = plain(raw[at].trim_matches(|c: char| !c.is_alphanumeric()));
            at += 1;
            let to = matches!(word.as_str(), "spoke" | "talked" | "spoken")
                && raw.get(at).is_some_and(|w| *w == "to");
            at += usize::from(to);
            if !to
                && !matches!(
                    word.as_str(),
                    "with" | "w" | "met" | "mit" | "con" | "avec" | "joined" | "thanked" | "participaron"
                )
            {
                continue;
            }
            // Up to here, a row of names.
            let mut name: Vec<&str> = Vec::new();
            let mut aside = false;
            while at < raw.len() {
                let token = raw[at];
                let clean = token.trim_matches(|c: char| !c.is_alphanumeric());
                if token.starts_with('(') || aside {
                    aside = !token.contains(')');
                    at += 1;
                    if !aside && token.ends_with(',') {
                        self.close(&mut name, &mut found);
                    }
                    continue;
                }
                let joins = matches!(
                    plain(clean).as_str(),
                    "and" | "und" | "y" | "et" | "e" | "plus" | "dr" | "mr" | "ms" | "mrs" | "herr" | "frau"
                ) || token == "&";
                let capital = clean.chars().next().is_some_and(char::is_uppercase)
                    && clean.chars().skip(1).any(char::is_lowercase);
                if joins {
                    self.close(&mut name, &mut found);
                } else if capital {
                    name.push(clean);
                    if token.ends_with([',', ';', '.']) {
                        self.close(&mut name, &mut found);
                    }
                } else {
                    break;
                }
                at += 1;
                if token.ends_with('.') && name.is_empty() {
                    break;
                }
            }
            self.close(&mut name, &mut found);
        }
        found.extend(self.there(text));
        found
    }

    /// People of whom it is said that they were there: two capitalised words each. A line of
    /// nothing but such names is a list of people too.
    fn there(&self, text: &str) -> Vec<String> {
        const DOES: [&str; 22] = [
            "joined",
            "attended",
            "there",
            "asked",
            "said",
            "wants",
            "on the line",
            "worked through",
            "liked",
            "happy",
            "hapy",
            "present",
            "explained",
            "showed me",
            "told",
            "mentioned",
            "fragte",
            "gefragt",
            "a pose",
            "pregunto",
            "confirmed",
            "was in",
        ];
        let said = plain(text);
        let does = DOES.iter().any(|w| said.contains(w));
        let person = |part: &str| {
            let words: Vec<&str> = part.split_whitespace().collect();
            let capital = |w: &&str| {
                w.chars().next().is_some_and(char::is_uppercase)
                    && w.chars().all(|c| c.is_alphabetic() || c == '-' || c == '\'')
            };
            words.len() == 2 && words.iter().all(capital)
        };
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut found = Vec::new();
        if parts.len() > 1 && parts.iter().all(|part| person(part)) {
            parts.iter().for_each(|part| self.close(&mut part.split_whitespace().collect(), &mut found));
        } else if does {
            let raw: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
            let mut at = 0;
            while at + 1 < raw.len() {
                let pair = [raw[at], raw[at + 1]].map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()));
                let together = !raw[at].ends_with([',', '.', ';', ':', ')']) && !raw[at + 1].starts_with('(');
                let before = if at > 0 { plain(raw[at - 1]) } else { String::new() };
                let article = matches!(
                    before.as_str(),
                    "the" | "der" | "die" | "das" | "la" | "el" | "le" | "our" | "their"
                );
                if together && !article && person(&pair.join(" ")) {
                    self.close(&mut pair.to_vec(), &mut found);
                    at += 2;
                    continue;
                }
                at += 1;
            }
        }
        found
    }

    /// A name is at its end: it counts where it is no account and nobody's title.
    fn close(&self, name: &mut Vec<&str>, found: &mut Vec<String>) {
        let text = std::mem::take(name);
        let whole = text.join(" ");
        let is_account = self.known.whole(Named::Account, &whole, None).is_some()
            || text.first().is_some_and(|w| self.known.short(w).is_some());
        let is_thing = [Named::Project, Named::UseCase, Named::Type]
            .iter()
            .any(|what| self.known.whole(*what, &whole, None).is_some());
        let starts_thing = text.first().is_some_and(|w| self.known.whole(Named::Type, w, None).is_some());
        // "Sons" of Lumen & Sons
        let part_of_account =
            text.len() == 1 && self.found.iter().any(|p| p.field == "account" && p.text.contains(&whole));
        let is_account = is_account || is_thing || starts_thing || part_of_account;
        if (1..=3).contains(&text.len())
            && !is_account
            && weekday_of(&plain(&whole)).is_none()
            && month_of(&plain(&whole)).is_none()
        {
            found.push(whole);
        }
    }
}

/// People of a list: titles and companies in brackets go, so do those who write.
fn listed(text: &str) -> Vec<String> {
    let mut open = 0i32;
    let plainer: String = text
        .chars()
        .filter(|c| {
            open += i32::from(*c == '(') - i32::from(*c == ')');
            open == 0 && *c != ')'
        })
        .collect();
    let parts = plainer
        .replace(" and ", ",")
        .replace(" und ", ",")
        .replace(" et ", ",")
        .replace(" y ", ",")
        .replace(" & ", ",")
        .replace([';', '+', '/'], ",");
    let person = |part: &str| {
        let part = part.split(" - ").next().unwrap_or(part).split(" from ").next().unwrap_or(part);
        let part = part.trim().trim_end_matches('.').trim();
        let titles = ["Dr.", "Mr.", "Ms.", "Mrs.", "Herr", "Frau", "Sr.", "Sra."];
        titles.iter().find_map(|t| part.strip_prefix(t)).unwrap_or(part).trim().to_owned()
    };
    let is_name = |name: &String| {
        let low = plain(name);
        let words = name.split(' ').count();
        (1..=4).contains(&words)
            && name.chars().next().is_some_and(char::is_uppercase)
            && !matches!(low.as_str(), "me" | "myself" | "i" | "team" | "us" | "ich")
    };
    parts.split(',').map(person).filter(is_name).collect()
}
