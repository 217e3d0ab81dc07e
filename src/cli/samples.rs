//! `pams demo samples`: a small file of each kind that can be imported, to look at and to
//! try; and what the demo store starts with.

use crate::cli::{Context, confirm, output};
use crate::domain::failure::said;
use crate::domain::{Failure, Outcome, text};
use crate::engine::{Engine, files};
use crate::services::imports::{CommitReview, Options, Target};
use crate::services::plans::{Packed, SetOutlines};
use crate::services::territories::SplitTerritories;
use clap::ArgMatches;
use std::path::{Path, PathBuf};

/// Outlines of the sample distributors' areas.
const AREAS: &str = include_str!("../../sample-data/clean/areas.geojson");

/// Name, content, and the command that takes it in.
pub const SAMPLES: [(&str, &str, &str); 13] = [
    ("accounts.csv", include_str!("../../sample-data/clean/accounts.csv"), "pams account import"),
    ("projects.csv", include_str!("../../sample-data/clean/projects.csv"), "pams project import"),
    (
        "wins-february-2026.csv",
        include_str!("../../sample-data/clean/wins-february-2026.csv"),
        "pams wins import",
    ),
    ("outlets.csv", include_str!("../../sample-data/clean/outlets.csv"), "pams outlets import"),
    ("beats.csv", include_str!("../../sample-data/clean/beats.csv"), "pams outlets import"),
    ("sales.csv", include_str!("../../sample-data/clean/sales.csv"), "pams outlets import"),
    (
        "distributors.csv",
        include_str!("../../sample-data/clean/distributors.csv"),
        "pams distributors import",
    ),
    ("areas.geojson", AREAS, "pams plan outlines"),
    ("chains.csv", include_str!("../../sample-data/clean/chains.csv"), "pams chains import"),
    ("reps.csv", include_str!("../../sample-data/clean/reps.csv"), "pams reps import"),
    (
        "legacy-activities.csv",
        include_str!("../../sample-data/clean/legacy-activities.csv"),
        "pams migration load",
    ),
    (
        "territories-ragged.csv",
        include_str!("../../sample-data/clean/territories-ragged.csv"),
        "pams territory detect",
    ),
    (
        "territories-flat.csv",
        include_str!("../../sample-data/clean/territories-flat.csv"),
        "pams territory detect",
    ),
];

/// Writes them into a folder.
pub fn run(context: &Context, matches: &ArgMatches) -> Outcome<()> {
    let folder = matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| PathBuf::from("samples"));
    let failed = |path: &Path, e: &std::io::Error| {
        Failure::invalid(format!("{} cannot be written: {}", path.display(), said(e)))
    };
    std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, &e))?;
    let there: Vec<&str> = SAMPLES.iter().map(|s| s.0).filter(|name| folder.join(name).exists()).collect();
    if !there.is_empty() {
        confirm(context, &format!("Write over {} in {}?", there.join(", "), folder.display()))?;
    }
    for (name, content, _) in SAMPLES {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|e| failed(&path, &e))?;
    }
    if context.json {
        let items: Vec<serde_json::Value> = SAMPLES
            .iter()
            .map(|(name, _, command)| serde_json::json!({ "file": folder.join(name), "command": command }))
            .collect();
        output::json(&serde_json::json!({ "items": items }));
        return Ok(());
    }
    for (name, _, command) in SAMPLES {
        output::line(&format!("{command} {}", folder.join(name).display()));
    }
    output::note(&format!("{} written to {}", text::count(SAMPLES.len(), "file"), folder.display()));
    Ok(())
}

/// Puts the sample outlets with who serves and visits them, their planning units, and legacy
/// activities into the demo store, as imports would.
pub fn tables(engine: &Engine, scratch: &Path) -> Outcome<()> {
    for (target, name, text) in [
        (Target::Outlets, "outlets.csv", include_str!("../../sample-data/outlets.csv")),
        (Target::Distributors, "distributors.csv", include_str!("../../sample-data/clean/distributors.csv")),
        (Target::Reps, "reps.csv", include_str!("../../sample-data/clean/reps.csv")),
        (
            Target::Activities,
            "legacy-activities.csv",
            include_str!("../../sample-data/legacy-activities.csv"),
        ),
    ] {
        let started = match target.is_bulk() {
            true => {
                let path = scratch.join(name);
                std::fs::write(&path, text).map_err(|e| Failure::internal(said(&e)))?;
                files::review_in_place(engine, target, &path.display().to_string())?
            }
            false => files::review(engine, target, name.to_owned(), text.as_bytes(), Options::default())?,
        };
        engine.wait_for(started.job, |_| {})?;
        engine.run(&CommitReview { review: started.review, agreed: true })?;
    }
    engine.run(&SetOutlines { file: Packed::of(AREAS)?, dry_run: false })?;
    let split = SplitTerritories {
        levels: vec!["territory".into()],
        level: "territory".into(),
        ..SplitTerritories::default()
    };
    engine.run(&split)?;
    super::territory::cut(engine, None)?;
    Ok(())
}
