//! The client side of `git-upload-pack`: listing references and asking for a pack, in protocol version 2, or 0 and 1
//! where the server knows no better.

use bytes::{Buf as _, Bytes};
use gix_hash::ObjectId;
use url::Url;

use crate::http::HttpRemote;
use crate::packet::{Packet, PacketReader, text, write_delimiter, write_flush, write_line};
use crate::ssh::SshRemote;
use crate::{Error, Options, Remote};

/// Names us to the server, as an agent capability.
const AGENT: &str = concat!("agent=millrace/", env!("CARGO_PKG_VERSION"));
/// A listing longer than this many references is refused.
const MOST_REFERENCES: usize = 2_000_000;

/// A reference of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteRef {
    /// The full name.
    pub(crate) name: String,
    /// What it points to: a commit, or an annotated tag.
    pub(crate) id: ObjectId,
    /// What the annotated tag leads to in the end.
    pub(crate) peeled: Option<ObjectId>,
}

/// What a server said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advertisement {
    capabilities: Vec<String>,
    /// Protocol 0 and 1 list all references at once; version 2 lists on demand.
    references: Option<Vec<RemoteRef>>,
    /// The repository's hash.
    pub(crate) hash: gix_hash::Kind,
}

impl Advertisement {
    /// True when the server speaks version 2, whose advertisement stays valid over many requests.
    pub(crate) fn is_lasting(&self) -> bool {
        self.references.is_none()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.capabilities.iter().find_map(|capability| match capability.strip_prefix(name) {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// True when the server can cut history off.
    pub(crate) fn has_shallow(&self) -> bool {
        match self.references {
            None => self
                .value("fetch")
                .is_some_and(|features| features.split(' ').any(|feature| feature == "shallow")),
            Some(_) => self.has("shallow"),
        }
    }
}

/// What to ask a pack for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Want {
    /// The objects wanted: commits or annotated tags.
    pub(crate) wants: Vec<ObjectId>,
    /// Commits that are here with everything they hold.
    pub(crate) haves: Vec<ObjectId>,
    /// Whether history is cut off behind the wanted commits; the `haves` are then cut off as well.
    pub(crate) depth: Depth,
}

/// How much history comes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The commits alone.
    #[default]
    One,
    /// All of it.
    Full,
}

/// An open conversation with a server.
pub(crate) struct Conversation {
    transport: Transport,
    pub(crate) advertisement: Advertisement,
}

enum Transport {
    Http(HttpRemote),
    Ssh(Box<SshRemote>),
}

/// What is remembered of a server between conversations, so that the next one needs one request less.
#[derive(Clone)]
pub(crate) struct Acquaintance {
    base: Url,
    advertisement: Advertisement,
}

impl Conversation {
    /// Connects, logs in and reads the advertisement.
    pub(crate) async fn open(
        remote: &Remote,
        clients: &net::Clients,
        options: &Options,
    ) -> Result<Self, Error> {
        match remote.url.scheme() {
            "http" | "https" => {
                let mut http = HttpRemote::new(remote, clients)?;
                let mut packets = http.advertisement().await?;
                let advertisement = read_advertisement(&mut packets).await?;
                Ok(Self { transport: Transport::Http(http), advertisement })
            }
            "ssh" => {
                let mut ssh = SshRemote::open(remote, &options.ssh).await?;
                let advertisement = match read_advertisement(ssh.packets()).await {
                    Ok(advertisement) => advertisement,
                    Err(error) => return Err(ssh.explain(error)),
                };
                Ok(Self { transport: Transport::Ssh(Box::new(ssh)), advertisement })
            }
            scheme => {
                Err(Error::Url { url: remote.display_url(), reason: format!("scheme '{scheme}' is unknown") })
            }
        }
    }

    /// Takes up a conversation where `known` left off, without asking the server.
    pub(crate) fn resume(
        remote: &Remote,
        clients: &net::Clients,
        known: Acquaintance,
    ) -> Result<Self, Error> {
        let http = HttpRemote::new(remote, clients)?.at(known.base);
        Ok(Self { transport: Transport::Http(http), advertisement: known.advertisement })
    }

    /// What can be remembered of this server.
    pub(crate) fn acquaintance(&self) -> Option<Acquaintance> {
        match &self.transport {
            Transport::Http(http) if self.advertisement.is_lasting() => {
                Some(Acquaintance { base: http.base().clone(), advertisement: self.advertisement.clone() })
            }
            _ => None,
        }
    }

    /// The references whose names begin with one of `prefixes`, or more of them.
    pub(crate) async fn list(&mut self, prefixes: &[String]) -> Result<Vec<RemoteRef>, Error> {
        if let Some(references) = &self.advertisement.references {
            return Ok(references.clone());
        }
        let mut body = Vec::new();
        write_line(&mut body, "command=ls-refs");
        self.write_capabilities(&mut body);
        write_delimiter(&mut body);
        write_line(&mut body, "peel");
        for prefix in prefixes {
            write_line(&mut body, &format!("ref-prefix {prefix}"));
        }
        write_flush(&mut body);
        let mut references = Vec::new();
        let mut held = None;
        let packets = self.send(body, &mut held).await?;
        loop {
            match packets.required().await? {
                Packet::Flush | Packet::ResponseEnd => return Ok(references),
                Packet::Delimiter => return Err(Error::protocol("a section in a list of references")),
                Packet::Data(line) => {
                    references.extend(listed_reference(&text(&line))?);
                    if references.len() > MOST_REFERENCES {
                        return Err(Error::protocol("more references than any repository has"));
                    }
                }
            }
        }
    }

    /// Asks for a pack and hands it piece by piece to `sink`.
    pub(crate) async fn fetch(
        &mut self,
        want: &Want,
        sink: &tokio::sync::mpsc::Sender<PackPiece>,
    ) -> Result<(), Error> {
        let body = match self.advertisement.references {
            None => self.fetch_request_2(want),
            Some(_) => self.fetch_request_0(want)?,
        };
        let version_2 = self.advertisement.is_lasting();
        let mut held = None;
        let packets = self.send(body, &mut held).await?;
        if version_2 {
            skip_to_pack_2(packets).await?;
            demultiplex(packets, sink, None).await
        } else {
            let first = skip_to_pack_0(packets).await?;
            demultiplex(packets, sink, Some(first)).await
        }
    }

    /// Sends `body`. Over HTTP the answer is its own stream, kept in `held`; over SSH all answers share one.
    async fn send<'a>(
        &'a mut self,
        body: Vec<u8>,
        held: &'a mut Option<PacketReader>,
    ) -> Result<&'a mut PacketReader, Error> {
        match &mut self.transport {
            Transport::Http(http) => Ok(held.insert(http.request(body).await?)),
            Transport::Ssh(ssh) => {
                ssh.send(body).await?;
                Ok(ssh.packets())
            }
        }
    }

    fn write_capabilities(&self, body: &mut Vec<u8>) {
        if self.advertisement.has("agent") {
            write_line(body, AGENT);
        }
        if self.advertisement.has("object-format") {
            write_line(body, &format!("object-format={}", self.advertisement.hash));
        }
    }

    fn fetch_request_2(&self, want: &Want) -> Vec<u8> {
        let mut body = Vec::new();
        write_line(&mut body, "command=fetch");
        self.write_capabilities(&mut body);
        write_delimiter(&mut body);
        for feature in ["thin-pack", "no-progress", "ofs-delta"] {
            write_line(&mut body, feature);
        }
        if want.depth == Depth::One && self.advertisement.has_shallow() {
            for have in &want.haves {
                write_line(&mut body, &format!("shallow {have}"));
            }
            write_line(&mut body, "deepen 1");
        }
        for id in &want.wants {
            write_line(&mut body, &format!("want {id}"));
        }
        for have in &want.haves {
            write_line(&mut body, &format!("have {have}"));
        }
        write_line(&mut body, "done");
        write_flush(&mut body);
        body
    }

    fn fetch_request_0(&self, want: &Want) -> Result<Vec<u8>, Error> {
        let advertisement = &self.advertisement;
        let band = ["side-band-64k", "side-band"].into_iter().find(|band| advertisement.has(band));
        let band =
            band.ok_or_else(|| Error::protocol("it supports no side band, which git has had since 2005"))?;
        let mut features = vec![band.to_owned()];
        let wanted = ["thin-pack", "no-progress", "ofs-delta"];
        features.extend(wanted.into_iter().filter(|feature| advertisement.has(feature)).map(str::to_owned));
        if advertisement.has("agent") {
            features.push(AGENT.to_owned());
        }
        if advertisement.has("object-format") {
            features.push(format!("object-format={}", advertisement.hash));
        }
        let mut body = Vec::new();
        let mut tail = format!(" {}", features.join(" "));
        for id in &want.wants {
            write_line(&mut body, &format!("want {id}{tail}"));
            tail.clear();
        }
        if want.depth == Depth::One && advertisement.has_shallow() {
            for have in &want.haves {
                write_line(&mut body, &format!("shallow {have}"));
            }
            write_line(&mut body, "deepen 1");
        }
        write_flush(&mut body);
        for have in &want.haves {
            write_line(&mut body, &format!("have {have}"));
        }
        write_line(&mut body, "done");
        Ok(body)
    }
}

/// A piece of a pack, or the news that it is complete: a channel that closes without it was cut off.
pub(crate) enum PackPiece {
    Data(Bytes),
    Complete,
}

pub(crate) async fn read_advertisement(packets: &mut PacketReader) -> Result<Advertisement, Error> {
    let mut lines = Vec::new();
    let mut announced = false;
    loop {
        match packets.required().await? {
            // Over HTTP the service is announced first, in a message of its own.
            Packet::Data(line) if line.starts_with(b"# service=") => announced = true,
            Packet::Data(line) => {
                lines.push(line);
                if lines.len() > MOST_REFERENCES {
                    return Err(Error::protocol("more references than any repository has"));
                }
            }
            Packet::Flush if announced => announced = false,
            Packet::Flush => break,
            Packet::Delimiter | Packet::ResponseEnd => {
                return Err(Error::protocol("a section in an advertisement"));
            }
        }
    }
    parse_advertisement(&lines)
}

fn parse_advertisement(lines: &[Bytes]) -> Result<Advertisement, Error> {
    // In the oldest protocol an empty repository has nothing to say.
    let Some((first, rest)) = lines.split_first() else { return advertisement(Vec::new(), Some(Vec::new())) };
    if text(first) == "version 2" {
        let capabilities: Vec<String> = rest.iter().map(|line| text(line)).collect();
        return advertisement(capabilities, None);
    }
    let lines = if text(first) == "version 1" { rest } else { lines };
    let mut capabilities = Vec::new();
    let mut references: Vec<RemoteRef> = Vec::new();
    for line in lines {
        let line = text(line);
        let (line, listed) = line.split_once('\0').unwrap_or((&line, ""));
        capabilities.extend(listed.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        if line.starts_with("shallow ") {
            continue;
        }
        let (id, name) = line.split_once(' ').ok_or_else(|| Error::protocol("a reference without name"))?;
        let id = object_id(id)?;
        match (name.strip_suffix("^{}"), references.last_mut()) {
            // The only line of an empty repository.
            (Some("capabilities"), _) => {}
            (Some(tag), Some(last)) if last.name == tag => last.peeled = Some(id),
            _ => references.push(RemoteRef { name: name.to_owned(), id, peeled: None }),
        }
    }
    advertisement(capabilities, Some(references))
}

fn advertisement(
    capabilities: Vec<String>,
    references: Option<Vec<RemoteRef>>,
) -> Result<Advertisement, Error> {
    let mut advertisement = Advertisement { capabilities, references, hash: gix_hash::Kind::Sha1 };
    advertisement.hash = match advertisement.value("object-format") {
        None | Some("sha1") => gix_hash::Kind::Sha1,
        Some("sha256") => gix_hash::Kind::Sha256,
        Some(other) => return Err(Error::protocol(format!("object format '{other}' is unknown"))),
    };
    Ok(advertisement)
}

/// A line of `ls-refs`: `{id} {name}[ peeled:{id}]`. An unborn HEAD has no id and is left out.
fn listed_reference(line: &str) -> Result<Option<RemoteRef>, Error> {
    let mut words = line.split(' ');
    let id = words.next().unwrap_or_default();
    if id == "unborn" {
        return Ok(None);
    }
    let id = object_id(id)?;
    let name = words.next().ok_or_else(|| Error::protocol("a reference without name"))?.to_owned();
    let peeled = words.find_map(|word| word.strip_prefix("peeled:")).map(object_id).transpose()?;
    Ok(Some(RemoteRef { name, id, peeled }))
}

fn object_id(hex: &str) -> Result<ObjectId, Error> {
    ObjectId::from_hex(hex.as_bytes()).map_err(|_| Error::protocol("a reference without object id"))
}

/// Skips the sections before the pack. All we negotiate is in the request, so none of them tells us anything.
async fn skip_to_pack_2(packets: &mut PacketReader) -> Result<(), Error> {
    loop {
        match packets.required().await? {
            Packet::Data(line) if line.as_ref() == b"packfile\n" || line.as_ref() == b"packfile" => {
                return Ok(());
            }
            Packet::Data(_) | Packet::Delimiter => {}
            Packet::Flush | Packet::ResponseEnd => return Err(Error::protocol("it sent no pack")),
        }
    }
}

/// Skips shallow lines and acknowledgements; returns the first packet after them.
async fn skip_to_pack_0(packets: &mut PacketReader) -> Result<Packet, Error> {
    loop {
        match packets.required().await? {
            Packet::Data(line)
                if [b"shallow ".as_slice(), b"unshallow ", b"ACK ", b"NAK"]
                    .iter()
                    .any(|word| line.starts_with(word)) => {}
            // Ends the shallow lines.
            Packet::Flush => {}
            packet => return Ok(packet),
        }
    }
}

/// Takes the pack out of the side band.
async fn demultiplex(
    packets: &mut PacketReader,
    sink: &tokio::sync::mpsc::Sender<PackPiece>,
    first: Option<Packet>,
) -> Result<(), Error> {
    let mut complaints = String::new();
    let mut next = first;
    loop {
        let packet = match next.take() {
            Some(packet) => packet,
            None => match packets.required().await {
                // What the server said last explains why it stopped.
                Err(Error::Disconnected) if !complaints.is_empty() => return Err(Error::Remote(complaints)),
                result => result?,
            },
        };
        let Packet::Data(mut data) = packet else { break };
        if data.is_empty() {
            continue;
        }
        match data.get_u8() {
            1 => {
                if sink.send(PackPiece::Data(data)).await.is_err() {
                    // The receiving side stopped and knows why.
                    return Ok(());
                }
            }
            2 => complaints = text(&data),
            3 => return Err(Error::Remote(text(&data))),
            _ => return Err(Error::protocol("an unknown side band")),
        }
    }
    let _ = sink.send(PackPiece::Complete).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    fn lines(lines: &[String]) -> Vec<Bytes> {
        lines.iter().map(|line| Bytes::from(format!("{line}\n"))).collect()
    }

    #[test]
    fn version_0_lists_references_and_folds_peeled_tags() {
        let advertisement = parse_advertisement(&lines(&[
            format!("{A} HEAD\0shallow thin-pack symref=HEAD:refs/heads/main agent=git/2"),
            format!("{A} refs/heads/main"),
            format!("{B} refs/tags/v1"),
            format!("{A} refs/tags/v1^{{}}"),
        ]))
        .expect("an advertisement");
        assert!(advertisement.has_shallow() && advertisement.has("agent") && !advertisement.has("thin"));
        assert!(!advertisement.is_lasting());
        let references = advertisement.references.expect("references");
        assert_eq!(references.len(), 3);
        assert_eq!(references[2].peeled, Some(object_id(A).expect("an id")));
    }

    #[test]
    fn an_empty_repository_has_no_references() {
        let zero = "0".repeat(40);
        let empty =
            parse_advertisement(&lines(&[format!("{zero} capabilities^{{}}\0shallow")])).expect("empty");
        assert_eq!(empty.references, Some(Vec::new()));
    }

    #[test]
    fn version_2_tells_hash_and_features() {
        let told = [
            "version 2",
            "agent=git/2",
            "ls-refs=unborn",
            "fetch=shallow wait-for-done",
            "object-format=sha256",
        ];
        let advertisement = parse_advertisement(&lines(&told.map(str::to_owned))).expect("an advertisement");
        assert!(advertisement.is_lasting() && advertisement.has_shallow());
        assert_eq!(advertisement.hash, gix_hash::Kind::Sha256);
        assert!(
            parse_advertisement(&lines(&["version 2".to_owned(), "object-format=md5".to_owned()])).is_err()
        );
    }

    #[test]
    fn listed_references_may_be_peeled_or_unborn() {
        let tag =
            listed_reference(&format!("{B} refs/tags/v1 peeled:{A}")).expect("a line").expect("a reference");
        assert_eq!((tag.name.as_str(), tag.peeled), ("refs/tags/v1", Some(object_id(A).expect("an id"))));
        assert_eq!(listed_reference("unborn HEAD symref-target:refs/heads/main").expect("a line"), None);
        assert!(listed_reference("nonsense refs/heads/x").is_err());
    }
}
