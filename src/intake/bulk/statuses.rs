//! The status of an outlet as systems write it, in nine languages.

use super::codes::{Fault, Faults};
use crate::columns::FastMap;
use crate::domain::text::fold;
use std::borrow::Cow;
use std::sync::LazyLock;

/// What we write.
pub const STATUSES: [&str; 4] = ["active", "inactive", "closed", "prospect"];

/// What is written for each by others.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "active",
        &[
            "a",
            "act",
            "enabled",
            "open",
            "live",
            "current",
            "y",
            "yes",
            "1",
            "true",
            "aktiv",
            "offen",
            "activo",
            "activa",
            "abierto",
            "ativo",
            "ativa",
            "aberto",
            "actif",
            "active e",
            "ouvert",
            "attivo",
            "aperto",
            "действует",
            "активен",
            "активный",
            "работает",
            "открыт",
            "营业",
            "启用",
            "活跃",
            "正常",
            "aktywny",
            "etkin",
            "aktif",
        ],
    ),
    (
        "inactive",
        &[
            "i",
            "inact",
            "disabled",
            "blocked",
            "suspended",
            "n",
            "no",
            "0",
            "false",
            "inaktiv",
            "gesperrt",
            "inactivo",
            "inactiva",
            "suspendido",
            "inativo",
            "inativa",
            "suspenso",
            "inactif",
            "suspendu",
            "inattivo",
            "sospeso",
            "неактивен",
            "приостановлен",
            "заблокирован",
            "停用",
            "暂停",
            "冻结",
            "nieaktywny",
            "pasif",
        ],
    ),
    (
        "closed",
        &[
            "c",
            "shut",
            "permanently closed",
            "out of business",
            "geschlossen",
            "cerrado",
            "cerrada",
            "fechado",
            "fechada",
            "encerrado",
            "ferme",
            "chiuso",
            "закрыт",
            "закрыта",
            "не работает",
            "关闭",
            "已关闭",
            "歇业",
            "zamkniety",
            "kapali",
        ],
    ),
    (
        "prospect",
        &[
            "p",
            "new",
            "lead",
            "potential",
            "neu",
            "nuevo",
            "novo",
            "nouveau",
            "nuovo",
            "новый",
            "потенциальный",
            "潜在",
            "新",
        ],
    ),
];

/// Folded word → what we write.
static READ: LazyLock<FastMap<String, &str>> = LazyLock::new(|| {
    let all = WORDS
        .iter()
        .flat_map(|(own, others)| std::iter::once(own).chain(*others).map(|word| (fold(word), *own)));
    all.collect()
});

/// The text as we write it; what is none of them stays and is told of.
pub fn read<'a>(text: Cow<'a, str>, faults: &mut Faults) -> Cow<'a, str> {
    if text.is_empty() {
        return text;
    }
    match READ.get(&fold(&text)) {
        Some(own) => Cow::Borrowed(own),
        None => {
            faults.add(Fault::Status);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_are_read_and_others_told_of() {
        for (written, is) in [
            ("ACTIVE", "active"),
            ("Действует", "active"),
            ("Fermé", "closed"),
            ("关闭", "closed"),
            ("N", "inactive"),
        ] {
            let mut faults = Faults::default();
            assert_eq!(read(Cow::Borrowed(written), &mut faults), is);
            assert_eq!(faults, Faults::default());
        }
        let mut faults = Faults::default();
        assert_eq!(read(Cow::Borrowed("Dormant"), &mut faults), "Dormant");
        assert!(faults.has(Fault::Status));
    }

    #[test]
    fn every_word_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for word in WORDS.iter().flat_map(|(own, others)| std::iter::once(own).chain(*others)) {
            assert!(seen.insert(fold(word)), "{word} twice");
        }
    }
}
