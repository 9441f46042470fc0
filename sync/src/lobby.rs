//! The lobby: knocks, in both directions, until two people are in one room.
//!
//! Sans-IO. Who has no ticket *knocks*: a channel that hides nobody, a name, and a person (or `--open`) at the other
//! end who says yes. Then either side may be the one that moves: of two that are both alone the lower author key keeps
//! its room and the other comes into it; who is not alone keeps theirs. Two that knock at each other need nobody's yes:
//! each finds its own nonce among those the other has heard.

use std::collections::{BTreeMap, VecDeque};

use replica::id::AuthorKey;

use crate::channel::Binding;
use crate::conversation::ConnectionId;
use crate::limits::{
    KNOCK_PATIENCE, KNOCK_TIME, KNOCKS_PER_MINUTE_MAX, KNOCKS_WAITING_MAX, TICKET_BYTES_MAX, millis,
};
use crate::ticket::Ticket;
use crate::wire::{Bye, ByeReason, Frame, Knock, KnockNonce, Yield};

#[cfg(test)]
mod tests;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame.
    Send(ConnectionId, Frame),
    /// End a connection after saying why.
    Close(ConnectionId, Bye),
    /// Make a room if there is none, let this key in, and call [`Lobby::admitted`] once that is durable.
    Admit(ConnectionId, AuthorKey),
    /// Go into the ticket's room. What is the current room stays in the home.
    Move(Ticket),
    /// Someone knocks and waits for a person's yes.
    Tell(Knocker),
    /// Our knock at an address was answered.
    Answered(String),
}

/// Someone who knocks here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knocker {
    /// Their key, proven.
    pub author: AuthorKey,
    /// Their name, in their word.
    pub name: String,
    /// Where they are, without the port they called from.
    pub address: String,
    is_alone: bool,
    nonce: KnockNonce,
    is_accepted: bool,
    /// Whether we offered to come into their room: only then is a ticket of theirs taken.
    is_yielded_to: bool,
}

#[derive(Debug)]
enum Seat {
    /// Connected, and has not said its name.
    Silent { author: AuthorKey, address: String, binding: Binding },
    /// Knocks here.
    Waiting(Knocker, Binding),
    /// We knock there.
    Asked { address: String, binding: Binding },
}

/// How things stand on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Whether we have no room, or nobody else is in it.
    pub is_alone: bool,
    /// Whether everybody is let in.
    pub is_open: bool,
    /// Milliseconds since some start.
    pub now_ms: u64,
}

/// Knocks under way.
#[derive(Debug)]
pub struct Lobby {
    me: Me,
    seats: BTreeMap<ConnectionId, Seat>,
    /// Until when each may stay, in milliseconds.
    until: BTreeMap<ConnectionId, u64>,
    recent: BTreeMap<String, Vec<u64>>,
    is_moving: bool,
    outputs: VecDeque<Output>,
}

/// Who we are to a lobby.
#[derive(Debug)]
pub struct Me {
    /// Signs that it is us who yield.
    pub identity: replica::identity::Identity,
    /// What we say we are called.
    pub name: String,
    /// Our number as a knocker.
    pub nonce: KnockNonce,
}

impl Lobby {
    /// A lobby with nobody in it.
    #[must_use]
    pub fn new(me: Me) -> Self {
        Self {
            me,
            seats: BTreeMap::new(),
            until: BTreeMap::new(),
            recent: BTreeMap::new(),
            is_moving: false,
            outputs: VecDeque::new(),
        }
    }

    /// Whether we are on the way into another room; knocks are not answered meanwhile.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.is_moving
    }

    /// Whether we knock at an address.
    #[must_use]
    pub fn asks(&self, address: &str) -> bool {
        self.seats.values().any(|seat| matches!(seat, Seat::Asked { address: asked, .. } if asked == address))
    }

    /// The address we knock at on a connection.
    #[must_use]
    pub fn asked(&self, connection: ConnectionId) -> Option<String> {
        match self.seats.get(&connection) {
            Some(Seat::Asked { address, .. }) => Some(address.clone()),
            _ => None,
        }
    }

    /// Whether a connection is the lobby's.
    #[must_use]
    pub fn has(&self, connection: ConnectionId) -> bool {
        self.seats.contains_key(&connection)
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Someone came to knock.
    pub fn on_knocker(
        &mut self,
        connection: ConnectionId,
        author: AuthorKey,
        address: String,
        binding: Binding,
        situation: Situation,
    ) {
        let host = address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned());
        self.recent.retain(|_, times| {
            times.retain(|time| time + 60_000 > situation.now_ms);
            !times.is_empty()
        });
        let times = self.recent.entry(host.clone()).or_default();
        times.push(situation.now_ms);
        let is_busy = times.len() > KNOCKS_PER_MINUTE_MAX || self.knocks() >= KNOCKS_WAITING_MAX;
        self.sit(
            connection,
            Seat::Silent { author, address: host, binding },
            situation.now_ms + millis(KNOCK_TIME),
        );
        if self.is_moving {
            self.refuse(
                connection,
                ByeReason::Moved,
                "on the way into another room; knock again in a moment",
            );
        } else if is_busy {
            self.refuse(connection, ByeReason::Busy, "too many knocks");
        }
    }

    /// Our knock at an address reached somebody.
    pub fn on_answered(
        &mut self,
        connection: ConnectionId,
        address: String,
        binding: Binding,
        situation: Situation,
    ) {
        self.sit(connection, Seat::Asked { address, binding }, situation.now_ms + millis(KNOCK_PATIENCE));
        self.knock(connection, situation);
    }

    /// A connection ended.
    pub fn on_closed(&mut self, connection: ConnectionId) {
        self.seats.remove(&connection);
        self.until.remove(&connection);
    }

    /// Ends what has waited for too long.
    pub fn keep_up(&mut self, now_ms: u64) {
        let due = self.until.iter().filter(|(_, until)| **until <= now_ms);
        let due: Vec<ConnectionId> = due.map(|(connection, _)| *connection).collect();
        due.into_iter()
            .for_each(|connection| self.refuse(connection, ByeReason::Silent, "nobody answered in time"));
    }

    /// When the next of them is due.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.until.values().min().copied()
    }

    /// A frame came on one of the lobby's connections.
    pub fn on_frame(&mut self, connection: ConnectionId, frame: Frame, situation: Situation) {
        match (self.seats.get(&connection), frame) {
            (Some(Seat::Silent { .. } | Seat::Waiting(..)), Frame::Knock(knock)) => {
                self.on_knock(connection, knock, situation);
            }
            (Some(Seat::Waiting(knocker, _)), Frame::Ticket(text))
                if knocker.is_yielded_to && situation.is_alone =>
            {
                self.on_ticket(connection, &text);
            }
            (Some(Seat::Asked { .. }), Frame::Ticket(text)) => self.on_ticket(connection, &text),
            (Some(Seat::Asked { binding, .. }), Frame::Yield(offer)) => {
                if situation.is_alone && binding.is_signed_by(&offer.author, &offer.signature) {
                    self.outputs.push_back(Output::Admit(connection, offer.author));
                } else {
                    self.refuse(connection, ByeReason::Protocol, "that offer does not fit");
                }
            }
            (Some(_), Frame::Bye(_)) => self.on_closed(connection),
            (Some(_), _) => self.refuse(connection, ByeReason::Protocol, "this is no member's connection"),
            (None, _) => {}
        }
    }

    /// A person says yes to who knocks under a name, or whose key begins so. Answers the name, or none if nobody does.
    pub fn accept(&mut self, name: &str, situation: Situation) -> Option<String> {
        let is_meant =
            |knocker: &Knocker| knocker.name == name || knocker.author.to_string().starts_with(name);
        let (connection, name) = self.seats.iter().find_map(|(connection, seat)| match seat {
            Seat::Waiting(knocker, _) if is_meant(knocker) => Some((*connection, knocker.name.clone())),
            _ => None,
        })?;
        self.let_in(connection, situation);
        Some(name)
    }

    /// The key of a connection is let in; here is the ticket it needs.
    pub fn admitted(&mut self, connection: ConnectionId, ticket: &Ticket) {
        if self.seats.contains_key(&connection) {
            if let Some(Seat::Asked { address, .. }) = self.seats.get(&connection) {
                self.outputs.push_back(Output::Answered(address.clone()));
            }
            self.outputs.push_back(Output::Send(connection, Frame::Ticket(ticket.to_string())));
        }
    }

    /// The key of a connection cannot be let in.
    pub fn not_admitted(&mut self, connection: ConnectionId) {
        self.refuse(connection, ByeReason::KnockRefused, "nobody here can let you in");
    }

    /// We are in the room we moved to.
    pub fn moved(&mut self) {
        self.is_moving = false;
    }

    fn knocks(&self) -> usize {
        self.seats.values().filter(|seat| !matches!(seat, Seat::Asked { .. })).count()
    }

    fn on_knock(&mut self, connection: ConnectionId, knock: Knock, situation: Situation) {
        let (knocker, binding, is_news) = match self.seats.get(&connection) {
            Some(Seat::Silent { author, address, binding }) => {
                let knocker = Knocker {
                    author: *author,
                    name: knock.nick,
                    address: address.clone(),
                    is_alone: knock.alone,
                    nonce: knock.nonce,
                    is_accepted: false,
                    is_yielded_to: false,
                };
                (knocker, *binding, true)
            }
            Some(Seat::Waiting(old, binding)) => (old.clone(), *binding, false),
            _ => return,
        };
        let is_mutual = self.seats.values().any(|seat| matches!(seat, Seat::Asked { .. }))
            && knock.heard.contains(&self.me.nonce);
        self.seats.insert(connection, Seat::Waiting(knocker.clone(), binding));
        if is_news {
            self.until.insert(connection, situation.now_ms + millis(KNOCK_PATIENCE));
            // Whoever we knock at may be this one: it hears that we have heard it.
            let asked = self.seats.iter().filter(|(_, seat)| matches!(seat, Seat::Asked { .. }));
            let asked: Vec<ConnectionId> = asked.map(|(connection, _)| *connection).collect();
            asked.into_iter().for_each(|connection| self.knock(connection, situation));
        }
        if knocker.is_accepted {
            return;
        }
        if situation.is_open || is_mutual {
            self.let_in(connection, situation);
        } else if is_news {
            self.outputs.push_back(Output::Tell(knocker));
        }
    }

    fn let_in(&mut self, connection: ConnectionId, situation: Situation) {
        let Some(Seat::Waiting(knocker, binding)) = self.seats.get_mut(&connection) else { return };
        if std::mem::replace(&mut knocker.is_accepted, true) {
            return;
        }
        let me = self.me.identity.key();
        if situation.is_alone && knocker.is_alone && knocker.author < me {
            knocker.is_yielded_to = true;
            let signature = binding.sign(&self.me.identity);
            self.outputs.push_back(Output::Send(connection, Frame::Yield(Yield { author: me, signature })));
        } else {
            self.outputs.push_back(Output::Admit(connection, knocker.author));
        }
    }

    fn on_ticket(&mut self, connection: ConnectionId, text: &str) {
        let ticket = (text.len() <= TICKET_BYTES_MAX).then(|| text.parse::<Ticket>());
        let Some(Ok(ticket)) = ticket else {
            return self.refuse(connection, ByeReason::Protocol, "that is no ticket");
        };
        if let Some(Seat::Asked { address, .. }) = self.seats.get(&connection) {
            self.outputs.push_back(Output::Answered(address.clone()));
        }
        self.refuse(connection, ByeReason::Leaving, "thank you");
        if !std::mem::replace(&mut self.is_moving, true) {
            self.outputs.push_back(Output::Move(ticket));
        }
    }

    fn knock(&mut self, connection: ConnectionId, situation: Situation) {
        let heard = self.seats.values().filter_map(|seat| match seat {
            Seat::Waiting(knocker, _) => Some(knocker.nonce),
            _ => None,
        });
        let heard = heard.take(KNOCKS_WAITING_MAX).collect();
        let (nick, nonce) = (self.me.name.clone(), self.me.nonce);
        let knock = Knock { nick, alone: situation.is_alone, nonce, heard };
        self.outputs.push_back(Output::Send(connection, Frame::Knock(knock)));
    }

    fn refuse(&mut self, connection: ConnectionId, reason: ByeReason, text: &str) {
        self.on_closed(connection);
        self.outputs.push_back(Output::Close(connection, Bye::new(reason, text)));
    }

    fn sit(&mut self, connection: ConnectionId, seat: Seat, until_ms: u64) {
        self.seats.insert(connection, seat);
        self.until.insert(connection, until_ms);
    }
}
