//! Notices: what happened while a person was elsewhere. Imports and the watched folder
//! write them; here they are listed and marked as read.

use crate::domain::schema::{Kind, Notification, Record};
use crate::domain::{Failure, Id, Outcome};
use crate::services::records::Page;
use crate::services::show::Shower;
use crate::services::{Command, Query, ReadCx, WriteCx};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const BY_USER: u8 = 85;
/// Notices of one person that are looked at, the newest first.
const MAX_NOTICES: usize = 5_000;

/// My notices, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListNotices {
    /// Those that I have read, too.
    pub read: bool,
    pub limit: usize,
}

impl Query for ListNotices {
    const NAME: &'static str = "notices.list";
    type Reply = Page;

    fn run(&self, cx: &ReadCx) -> Outcome<Page> {
        let settings = cx.settings()?;
        let mut shower = Shower::new(cx.reads);
        let mut items = Vec::new();
        for (id, notice) in mine(cx.reads, settings.me)?.into_iter().filter(|(_, n)| self.read || !n.read) {
            if items.len() == self.limit.max(1) {
                break;
            }
            if let Some(head) = cx.reads.head(Kind::Notification, id)? {
                let mut item = shower.item(Kind::Notification, id, &head)?;
                item.values.insert("read".into(), notice.read.into());
                item.values.insert("at".into(), settings.zone.stamp(id.unix_ms() as i64).into());
                items.push(item);
            }
        }
        Ok(Page { items, next: None })
    }
}

fn mine(reads: &dyn Reads, me: Id) -> Outcome<Vec<(Id, Notification)>> {
    let mut all = Vec::new();
    // Ids are made in order of time, and the index ends with them.
    for id in reads.index_ids(IndexKey::new(BY_USER).id(me), MAX_NOTICES)?.into_iter().rev() {
        if let Some(fields) = reads.fields(Kind::Notification, id)? {
            all.push((id, Notification::from_fields(&fields)));
        }
    }
    Ok(all)
}

/// Marks notices as read: those given by the end of their ids, or all of mine.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReadNotices {
    pub which: Vec<String>,
}

impl Command for ReadNotices {
    const NAME: &'static str = "notices.read";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let me = cx.settings()?.me;
        let all = mine(cx.reads(), me)?;
        for which in &self.which {
            match all.iter().filter(|(id, _)| id.ends_with(which)).count() {
                1 => {}
                0 => return Err(Failure::not_found(format!("There is no notice \"{which}\""))),
                n => return Err(Failure::invalid(format!("{n} notices end with \"{which}\""))),
            }
        }
        let meant = |id: &Id| self.which.is_empty() || self.which.iter().any(|w| id.ends_with(w));
        let mut read = 0;
        for (id, notice) in all.into_iter().filter(|(id, n)| !n.read && meant(id)) {
            let seen = Notification { read: true, ..notice };
            cx.update(Kind::Notification, id, |fields| *fields = seen.to_fields())?;
            read += 1;
        }
        Ok(read)
    }
}
