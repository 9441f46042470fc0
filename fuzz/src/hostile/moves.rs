//! What a hostile member can do, in a form that any bytes have.

use arbitrary::Arbitrary;

/// One thing it does.
#[derive(Debug, Arbitrary)]
pub(super) enum Move {
    /// Sends entries made for it.
    Entries { drafts: Vec<Draft>, is_live: bool, keeps_signatures: bool, remaining: u64 },
    /// Sends some of them again, in any order.
    Again { picks: Vec<u8>, is_live: bool, keeps_signatures: bool },
    /// Sends the last block with a byte changed.
    Torn { at: u16, flip: u8, is_live: bool },
    /// Tells tips: which entry, which seq, and whether it signs them.
    Have { tips: Vec<(u8, u8, bool)>, last: bool },
    /// Asks for entries, from others on.
    Want { chains: Vec<(u8, Vec<u8>)>, last: bool },
    /// Asks for locators.
    Locate { tips: Vec<u8> },
    /// Confirms frames.
    Ack(u64),
    /// Grants bytes.
    Credit(u32),
    /// Gives a sign of life.
    Ping { is_equal: bool, at_rest: bool },
    /// Says who it is, perhaps again.
    Hello { store: u8, is_equal: bool },
    /// Says goodbye.
    Bye,
    /// Sends any frame at all.
    Raw(Vec<u8>),
    /// Connects anew.
    Connect { as_stranger: bool },
    /// Hangs up.
    Closed,
    /// Lets the victim say something.
    Say,
    /// Waits.
    Pass(u16),
}

/// An entry to be made.
#[derive(Debug, Arbitrary)]
pub(super) struct Draft {
    pub(super) chain: u8,
    pub(super) seq: Seq,
    pub(super) dependencies: Vec<u8>,
    /// Whether it also depends on everything the victim has.
    pub(super) sees_all: bool,
    pub(super) content: Content,
    /// In hours from the start of the world.
    pub(super) claimed: i16,
    pub(super) seal: Seal,
}

/// Where in its chain an entry says it stands.
#[derive(Debug, Arbitrary)]
pub(super) enum Seq {
    /// Where it should.
    Next,
    /// Beside the last one.
    Twin,
    /// Anywhere.
    Any { seq: u8, previous: u8 },
}

/// What an entry says.
#[derive(Debug, Arbitrary)]
pub(super) enum Content {
    Text(u8),
    Long,
    Name,
    Leave,
    Invite,
    Room,
    Admit { is_real: bool },
    Raw { kind: u8, body: Vec<u8> },
}

/// What it is signed with.
#[derive(Debug, Arbitrary)]
pub(super) enum Seal {
    Real,
    False,
    None,
}
