//! `server`, `auth` and `data_dir`: who can connect, and who may ask.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::reader::{At, Reader};
use crate::config::types::{Auth, Secret, Server, StaticKey};
use crate::config::values::{Wrong, quoted};

/// Reads `server`.
pub(in crate::config) fn server(reader: &mut Reader<'_>, at: &At<'_>) -> Server {
    let server = Server {
        listen: address(reader, &at.get("listen")),
        admin_listen: address(reader, &at.get("admin_listen")),
        admin_token: reader.secret(&at.get("admin_token")),
        max_body_bytes: reader.size(&at.get("max_body")),
        max_head_bytes: reader.size(&at.get("max_head")),
        max_connections: reader.count(&at.get("max_connections"), None),
        drain: reader.duration(&at.get("drain"), None),
        drain_accept: reader.duration(&at.get("drain_accept"), None),
        header_read_timeout: reader.duration(&at.get("header_read_timeout"), None),
        allow_open: reader.flag(&at.get("allow_open_auth"), None),
    };
    if server.listen == server.admin_listen && server.listen.port() != 0 {
        let message = format!("the same address as `server.listen`, {}", server.listen);
        reader.wrong(&at.get("admin_listen"), Wrong::new(message));
    }
    server
}

fn address(reader: &mut Reader<'_>, at: &At<'_>) -> SocketAddr {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    reader.value(at, None, nowhere, |text| {
        let spelled = text.replace("localhost:", "127.0.0.1:");
        spelled.parse().map_err(|_| {
            let message = format!("{} is not an IP address and port", quoted(text));
            Wrong::new(message).hint("write for example `127.0.0.1:4000` or `[::]:4000`")
        })
    })
}

/// Reads `auth` below the root. Open doors are refused where others can reach them.
pub(in crate::config) fn auth(reader: &mut Reader<'_>, root: &At<'_>, server: &Server) -> Auth {
    let at = &root.get("auth");
    if at.is_section() {
        return Auth::Keys(keys(reader, &at.get("keys")));
    }
    let open = reader.word(at, None, &[("open", true), ("keys", false)], true);
    if !open {
        let wrong = Wrong::new("no keys are listed");
        reader.wrong(at, wrong.hint(HOW_TO_LIST));
    } else if !server.listen.ip().is_loopback() && !server.allow_open {
        let message = format!("`auth: open` lets everyone who reaches {} spend", server.listen);
        let place = if at.is_present() { at.clone() } else { root.get("server").get("listen") };
        reader.wrong(
            &place,
            Wrong::new(message).hint(format!(
                "{HOW_TO_LIST}, listen on 127.0.0.1, or set `server.allow_open_auth: true`"
            )),
        );
    }
    Auth::Open
}

const HOW_TO_LIST: &str = "write `auth: { keys: [{ name: me, key: \"${WEIGHBRIDGE_KEY}\" }] }`";

fn keys(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<StaticKey> {
    let places = at.items();
    if places.is_empty() {
        reader.wrong(at, Wrong::new("no keys are listed").hint(HOW_TO_LIST));
    }
    let mut keys: Vec<StaticKey> = Vec::new();
    let mut secrets: HashMap<String, usize> = HashMap::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    for (index, place) in places.iter().enumerate() {
        let Some(key) = key(reader, place, index) else { continue };
        let at_secret = if place.is_section() { place.get("key") } else { place.clone() };
        once(reader, &at_secret, &mut secrets, key.secret.expose(), index, "the same key");
        once(reader, &place.get("name"), &mut names, &key.name, index, "the same name");
        keys.push(key);
    }
    keys
}

fn key(reader: &mut Reader<'_>, at: &At<'_>, index: usize) -> Option<StaticKey> {
    let numbered = format!("key-{}", index + 1);
    if !at.is_section() {
        let secret = reader.credential(at)?;
        return Some(StaticKey { name: numbered, secret, team: None, user: None });
    }
    let name = reader.name(&at.get("name"));
    let (team, user) = (reader.name(&at.get("team")), reader.name(&at.get("user")));
    let secret = reader.credential(&at.get("key")).unwrap_or(Secret::new(String::new()));
    let usable = !secret.expose().is_empty();
    usable.then(|| StaticKey { name: name.unwrap_or(numbered), secret, team, user })
}

/// Notes a problem if `text` was already seen at another index.
fn once(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    seen: &mut HashMap<String, usize>,
    text: &str,
    index: usize,
    what: &str,
) {
    match seen.get(text) {
        Some(earlier) => {
            reader.wrong(at, Wrong::new(format!("{what} as `auth.keys[{earlier}]`")));
        }
        None => {
            seen.insert(text.to_owned(), index);
        }
    }
}
