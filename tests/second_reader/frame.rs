//! PROTOCOL.md, "Frames": what a frame says, in words.

use super::bytes::{Bytes, Read, hex};
use super::conversation::Conversation;
use super::entry::{Entry, Id, verify};

/// Reads a frame; entries that it carries as DATA or LIVE are taken into the conversation.
pub(crate) fn describe(frame: &[u8], conversation: &mut Conversation) -> Read<String> {
    let mut bytes = Bytes(frame);
    if bytes.number(1)? != 1 {
        return Err("a frame of another version");
    }
    let words = match bytes.number(1)? {
        1 => {
            let (protocol, store, digest) = (bytes.varied()?, id::<16>(&mut bytes)?, id::<32>(&mut bytes)?);
            format!("HELLO protocol {protocol} store {store} digest {digest} entries {}", bytes.varied()?)
        }
        2 => {
            let tips = bytes.list(|it| {
                let (chain, seq) = (id::<40>(it)?, it.varied()?);
                Ok(format!(" {chain} {seq} {} {}", id::<32>(it)?, id::<64>(it)?))
            })?;
            format!("HAVE{} last {}", tips.concat(), bool(&mut bytes)?)
        }
        3 => {
            let chains = bytes.list(|it| {
                let tip = id::<32>(it)?;
                Ok(format!(" {tip} from {:?}", it.list(id::<32>)?))
            })?;
            format!("WANT{} last {}", chains.concat(), bool(&mut bytes)?)
        }
        4 => format!("LOCATE {}", bytes.list(id::<32>)?.join(" ")),
        5 => format!("PREVIEW {}", preview(bytes.counted()?, &conversation.room)?),
        6 => {
            let entries = conversation.take(bytes.counted()?)?;
            format!("DATA {} remaining {}", ids(&entries), bytes.varied()?)
        }
        7 => {
            let entries = conversation.take(bytes.counted()?)?;
            if entries.len() > 64 || !entries.iter().all(Entry::is_signed) {
                return Err("a LIVE frame with too many entries, or one that is not signed");
            }
            format!("LIVE {}", ids(&entries))
        }
        8 => format!("ACK {}", bytes.varied()?),
        9 => format!("CREDIT {}", bytes.varied()?),
        10 => format!("PEERS{}", bytes.list(address_record)?.concat()),
        11 => format!("PING {} at rest {}", id::<32>(&mut bytes)?, bool(&mut bytes)?),
        12 => format!("BYE {} {}", bytes.varied()?, text(&mut bytes)?),
        16 => {
            let (name, alone) = (text(&mut bytes)?, bool(&mut bytes)?);
            let (nonce, heard) = (id::<16>(&mut bytes)?, bytes.list(id::<16>)?);
            format!("KNOCK {name} alone {alone} {nonce} heard {heard:?}")
        }
        17 => format!("TICKET {}", text(&mut bytes)?),
        18 => format!("YIELD {} {}", id::<32>(&mut bytes)?, id::<64>(&mut bytes)?),
        _ => return Err("a frame of an unknown kind"),
    };
    bytes.end()?;
    Ok(words)
}

fn id<const N: usize>(bytes: &mut Bytes<'_>) -> Read<String> {
    Ok(hex(&bytes.array::<N>()?))
}

fn ids(entries: &[Entry]) -> String {
    entries.iter().map(|entry| hex(&entry.id)).collect::<Vec<_>>().join(" ")
}

fn bool(bytes: &mut Bytes<'_>) -> Read<bool> {
    match bytes.number(1)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err("neither true nor false"),
    }
}

fn text(bytes: &mut Bytes<'_>) -> Read<String> {
    String::from_utf8(bytes.counted()?.to_vec()).map_err(|_| "text that is not UTF-8")
}

fn address_record(bytes: &mut Bytes<'_>) -> Read<String> {
    let (author, store): ([u8; 32], [u8; 16]) = (bytes.array()?, bytes.array()?);
    let expiry = bytes.varied()?;
    let addresses =
        bytes.list(|it| Ok((it.array::<16>()?, u16::try_from(it.varied()?).map_err(|_| "a port")?)))?;
    let mut message = [&b"replica/1/addresses\0"[..], &author, &store, &expiry.to_be_bytes()].concat();
    let mut words = format!(" {} {} until {expiry}", hex(&author), hex(&store));
    for (ip, port) in addresses {
        message.extend(ip);
        message.extend(port.to_be_bytes());
        words += &format!(" {} {port}", hex(&ip));
    }
    if verify(&author, &message, &bytes.array()?) {
        Ok(words)
    } else {
        Err("an address record that is not signed")
    }
}

/// PROTOCOL.md, "PREVIEW": the authentic entries of it.
fn preview(packed: &[u8], room: &Id) -> Read<String> {
    let plain = zstd::bulk::decompress(packed, 64_991).map_err(|_| "a preview that does not inflate")?;
    let mut bytes = Bytes(&plain);
    let mut entries = Vec::new();
    while !bytes.0.is_empty() {
        let length = usize::try_from(bytes.number(2)?).unwrap();
        let record = bytes.take(length)?;
        let signature = if bool(&mut bytes)? { Some(bytes.array()?) } else { None };
        entries.push(Entry::read(record, room, signature)?);
    }
    let mut authentic: Vec<Entry> = Vec::new();
    for entry in entries.into_iter().rev() {
        if entry.is_signed() || authentic.iter().any(|later| later.previous == Some(entry.id)) {
            authentic.insert(0, entry);
        }
    }
    Ok(ids(&authentic))
}
