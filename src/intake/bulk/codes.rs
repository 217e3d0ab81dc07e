//! What can be wrong with a row of outlets or of legacy activities, as bits: a row has
//! several faults and there are millions of rows. The rule behind each bit says what it does to the row.

use crate::intake::rules::{self, Weight};

/// Faults of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub u64);

macro_rules! faults {
    ($($name:ident $code:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Fault { $($name,)* }

        impl Fault {
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            pub fn code(self) -> &'static str {
                match self { $(Fault::$name => $code,)* }
            }
        }
    };
}

faults! {
    NoCode "OUT-01";
    CodeRepeated "OUT-02";
    CodeScientific "OUT-03";
    CodeTooLong "OUT-04";
    NoName "OUT-05";
    Placeholder "OUT-06";
    NearDuplicate "OUT-07";
    NoPosition "COORD-01";
    NullIsland "COORD-02";
    OutOfRange "COORD-03";
    Swapped "COORD-04";
    SignLost "COORD-05";
    NotANumber "COORD-06";
    Abroad "COORD-07";
    FarFromTown "COORD-08";
    Coarse "COORD-09";
    Shared "COORD-10";
    BadNumber "NUM-01";
    Negative "NUM-02";
    BadDate "DAT-01";
    TwoDates "DAT-02";
    Future "DAT-03";
    ClosedFirst "DAT-04";
    BadEmail "CON-01";
    BadPhone "CON-02";
    NoTerritory "TER-01";
    NoDistributor "REF-01";
    Garbled "TXT-01";
    Entities "TXT-02";
    Controls "TXT-03";
    Formula "TXT-04";
    TooLong "TXT-05";
    NotText "TXT-06";
    Ragged "FIL-11";
    RowTooLong "FIL-14";
    Aside "REV-01";
    Merged "REV-02";
    Status "ENU-01";
    NoDay "ACT-06";
    TwoDays "ACT-07";
    BadEffort "ACT-08";
    Repeats "ACT-09";
    Unknown "OUT-09";
    NoMonth "SAL-01";
    NoAmount "SAL-02";
    NoAddress "ADR-01";
    BadPostalCode "ADR-02";
    SharedPhone "CON-03";
    UnknownDistributor "REF-02";
    FarFromDistributor "REF-03";
    UnknownRep "REF-04";
    TwoParents "TER-02";
    FarFromTerritory "TER-03";
    NoRep "TER-04";
    NoRoute "TER-05";
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    pub fn remove(&mut self, fault: Fault) {
        self.0 &= !(1 << fault as u8);
    }

    pub fn has(self, fault: Fault) -> bool {
        self.0 >> fault as u8 & 1 == 1
    }

    pub fn with(self, other: Faults) -> Faults {
        Faults(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Fault> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Fault::ALL.get(bit).copied()
        })
    }

    /// Whether a rule among them keeps the row back.
    pub fn holds_back(self) -> bool {
        self.0 & HELD != 0
    }

    /// Whether the row says again what another one does, and is left out.
    pub fn is_merged(self) -> bool {
        self.has(Fault::Merged)
    }

    /// Whether the row is not in the table.
    pub fn is_out(self) -> bool {
        self.holds_back() || self.is_merged()
    }
}

/// Faults whose rule weighs [`Weight::Fix`], as bits; a test holds them together.
const HELD: u64 = 1 << Fault::NoCode as u8
    | 1 << Fault::CodeRepeated as u8
    | 1 << Fault::CodeScientific as u8
    | 1 << Fault::CodeTooLong as u8
    | 1 << Fault::NoName as u8
    | 1 << Fault::RowTooLong as u8
    | 1 << Fault::Aside as u8
    | 1 << Fault::NoDay as u8
    | 1 << Fault::Unknown as u8
    | 1 << Fault::NoMonth as u8
    | 1 << Fault::NoAmount as u8
    | 1 << Fault::TwoDays as u8;

/// The fields that a rule is about, the one that people look at first.
pub fn fields_of(code: &str) -> &'static [&'static str] {
    match code {
        "OUT-05" | "OUT-06" | "OUT-07" => &["name"],
        "ACT-06" | "ACT-07" => &["date"],
        "ACT-08" => &["effort"],
        "ACT-09" => &["summary"],
        code if code.starts_with("OUT") => &["code"],
        code if code.starts_with("COORD") => &["latitude", "longitude"],
        "NUM-01" | "NUM-02" => &["avg_sales", "volume", "visit_frequency", "credit_limit"],
        code if code.starts_with("DAT") => &["created_on", "opened_on", "updated_on", "closed_on"],
        "ENU-01" => &["status"],
        "SAL-01" => &["sales_months"],
        "SAL-02" => &["avg_sales"],
        "CON-01" => &["email"],
        "CON-02" | "CON-03" => &["phone", "phone2"],
        "ADR-01" => &["address"],
        "ADR-02" => &["postal_code"],
        "TER-04" | "REF-04" => &["salesperson_code"],
        "TER-05" => &["beat"],
        code if code.starts_with("TER") => &["territory"],
        code if code.starts_with("REF") => &["distributor_code"],
        _ => &["name"],
    }
}

/// The rule of a fault.
pub fn rule(fault: Fault) -> &'static rules::Rule {
    static NONE: rules::Rule = rules::Rule { code: "", weight: Weight::Look, label: "", fix: "" };
    rules::find(fault.code()).unwrap_or(&NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_rule_and_weight() {
        let mut all = Faults::default();
        for fault in Fault::ALL {
            assert_eq!(rule(*fault).code, fault.code());
            assert!(!rule(*fault).fix.is_empty(), "{}", fault.code());
            let mut one = Faults::default();
            one.add(*fault);
            assert_eq!(one.holds_back(), rule(*fault).weight == Weight::Fix, "{}", fault.code());
            assert!(!all.has(*fault));
            all.add(*fault);
        }
        assert_eq!(all.iter().collect::<Vec<_>>(), Fault::ALL);
    }
}
