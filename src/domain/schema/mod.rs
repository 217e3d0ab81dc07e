//! What a kind of record is: fields with types, indexes, and the macro that makes of each row
//! of the table in `kinds.rs` a number, a struct and its schema.

use crate::domain::value::{FieldId, Fields, Value};

/// What a field holds, and so how it is typed, shown, merged and indexed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// One line.
    Text,
    /// Several lines, Markdown.
    Long,
    Flag,
    Int,
    /// A decimal number, kept in millionths.
    Decimal,
    /// A month as yyyymm.
    Month,
    /// Whole minutes, typed as `3h` or `2d`.
    Effort,
    Date,
    Money,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A record of that kind.
    One(Kind),
    /// A set of records, merged by element.
    Many(Kind),
    /// A set of words, merged by element.
    Words,
    /// Bytes only the program reads.
    Data,
}

/// One field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub id: FieldId,
    pub name: &'static str,
    pub kind: Type,
    /// Fields with one group merge as one; zero means the field alone.
    pub group: u8,
    pub required: bool,
    /// Holds what a person wrote about people: a purge erases it.
    pub erasable: bool,
    /// Not typed by people: left out of forms and command-line options.
    pub system: bool,
}

/// `type` is a word of Rust: the member is `activity_type`, the field is `type`.
const fn spelled(name: &'static str) -> &'static str {
    match name.as_bytes() {
        b"activity_type" => "type",
        _ => name,
    }
}

impl Field {
    const fn new(id: FieldId, name: &'static str, kind: Type) -> Field {
        Field { id, name: spelled(name), kind, group: 0, required: false, erasable: false, system: false }
    }
    const fn required(self) -> Field {
        Field { required: true, ..self }
    }
    const fn erasable(self) -> Field {
        Field { erasable: true, ..self }
    }
    const fn system(self) -> Field {
        Field { system: true, ..self }
    }
    const fn group(self, group: u8) -> Field {
        Field { group, ..self }
    }

    /// The name as people read it: `next_step` is "next step".
    pub fn label(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// An index of a kind: entries are the encoded fields, then the record's id.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Unique over all kinds; written into stores.
    pub number: u8,
    pub fields: &'static [FieldId],
}

/// The last used value of a field per owner (and project): a view of the log.
#[derive(Clone, Copy, Debug)]
pub struct Latest {
    pub by: &'static [FieldId],
    pub of: FieldId,
}

/// All that is declared about a kind.
#[derive(Debug)]
pub struct Schema {
    pub kind: Kind,
    pub name: &'static str,
    pub plural: &'static str,
    pub fields: &'static [Field],
    pub indexes: &'static [Index],
    pub latest: &'static [Latest],
}

impl Schema {
    pub fn field(&self, id: FieldId) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.id == id)
    }

    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The merge unit of a field: its declared group, else the field alone. A field
    /// from a newer program stands alone too.
    pub fn group_of(&self, id: FieldId) -> (u8, FieldId) {
        match self.field(id).map_or(0, |f| f.group) {
            0 => (0, id),
            group => (group, 0),
        }
    }
}

/// A kind of record that Rust code reads as a struct.
pub trait Record: Sized + Default {
    const KIND: Kind;
    fn from_fields(fields: &Fields) -> Self;
    fn to_fields(&self) -> Fields;
}

macro_rules! member {
    (text) => { String };
    (long) => { String };
    (choice $($of:tt)*) => { String };
    (flag) => { bool };
    (int) => { Option<i64> };
    (decimal) => { Option<i64> };
    (month) => { Option<i64> };
    (effort) => { Option<i64> };
    (date) => { Option<NaiveDate> };
    (money) => { Option<Money> };
    (one $($of:tt)*) => { Option<Id> };
    (many $($of:tt)*) => { Vec<Id> };
    (words) => { Vec<String> };
    (data) => { Vec<u8> };
}

macro_rules! field_type {
    (text) => { Type::Text };
    (long) => { Type::Long };
    (choice $($of:literal)*) => { Type::Choice(&[$($of),*]) };
    (flag) => { Type::Flag };
    (int) => { Type::Int };
    (decimal) => { Type::Decimal };
    (month) => { Type::Month };
    (effort) => { Type::Effort };
    (date) => { Type::Date };
    (money) => { Type::Money };
    (one $of:ident) => { Type::One(Kind::$of) };
    (many $of:ident) => { Type::Many(Kind::$of) };
    (words) => { Type::Words };
    (data) => { Type::Data };
}

macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $number:literal $kind:ident $name:literal $plural:literal {
            $( $fid:literal $field:ident: $ty:ident $(($($of:tt)*))? $(, $attr:ident $(($arg:literal))?)* ; )*
        }
        $( index $index:literal [$($part:literal),*]; )*
        $( latest [$($by:literal),*] of $of_field:literal; )*
    )*) => {
        /// The kinds of record; the number is part of every key and change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[repr(u8)]
        pub enum Kind { $( $kind = $number, )* }

        impl Kind {
            pub const ALL: &[Kind] = &[$( Kind::$kind ),*];

            pub fn schema(self) -> &'static Schema {
                match self { $( Kind::$kind => {
                    static SCHEMA: Schema = Schema {
                        kind: Kind::$kind,
                        name: $name,
                        plural: $plural,
                        fields: &[$( Field::new($fid, stringify!($field), field_type!($ty $($($of)*)?))
                            $(.$attr($($arg)?))*, )*],
                        indexes: &[$( Index { number: $index, fields: &[$($part),*] }, )*],
                        latest: &[$( Latest { by: &[$($by),*], of: $of_field }, )*],
                    };
                    &SCHEMA
                } )* }
            }

            pub fn from_number(number: u8) -> Option<Kind> {
                match number { $( $number => Some(Kind::$kind), )* _ => None }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq)]
            pub struct $kind { $( pub $field: member!($ty $($($of)*)?), )* }

            impl Record for $kind {
                const KIND: Kind = Kind::$kind;
                fn from_fields(fields: &Fields) -> Self {
                    $kind { $( $field: Member::read(fields.get(&$fid)), )* }
                }
                fn to_fields(&self) -> Fields {
                    let mut fields = Fields::new();
                    $( if let Some(value) = Member::write(&self.$field) { fields.insert($fid, value); } )*
                    fields
                }
            }
        )*
    };
}

// Behind the macros, which it uses.
mod kinds;

pub use kinds::*;

impl Kind {
    /// The kind that a person names: `account`, `accounts`, `usecase`.
    pub fn parse(text: &str) -> Option<Kind> {
        let lower = text.to_lowercase().replace(['_', '-', ' '], "");
        Kind::ALL.iter().copied().find(|k| lower == k.schema().name || lower == k.schema().plural)
    }

    pub fn name(self) -> &'static str {
        self.schema().name
    }
}

/// The field that names a record, if it has one.
pub fn name_of(kind: Kind, fields: &Fields) -> Option<&str> {
    let field = ["name", "title", "summary", "opportunity", "file", "text"]
        .into_iter()
        .find_map(|n| kind.schema().field_named(n))?;
    match fields.get(&field.id) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_unique_and_indexes_name_fields() {
        let mut indexes = HashSet::new();
        for kind in Kind::ALL {
            let schema = kind.schema();
            assert_eq!(Kind::from_number(*kind as u8), Some(*kind));
            assert_eq!(Kind::parse(schema.plural), Some(*kind));
            let ids: HashSet<_> = schema.fields.iter().map(|f| f.id).collect();
            assert_eq!(ids.len(), schema.fields.len(), "{}", schema.name);
            for index in schema.indexes {
                assert!(indexes.insert(index.number), "index {} twice", index.number);
                assert!(index.fields.iter().all(|f| ids.contains(f)), "index {}", index.number);
            }
        }
    }

    #[test]
    fn a_struct_comes_back_from_its_fields() {
        let account =
            Account { name: "Halden AG".into(), aliases: vec!["Halden".into()], ..Account::default() };
        assert_eq!(Account::from_fields(&account.to_fields()), account);
        assert_eq!(account.to_fields().len(), 2);
    }
}
