//! From which of the host's addresses a target is reached, by small numbers that targets keep.

use super::route::{Route, Routes};
use std::io;
use std::net::IpAddr;

/// A source address; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceId(u16);

/// Addresses of the host that were found so far: few, and never forgotten, so that a number keeps its meaning.
#[derive(Default)]
pub struct Sources {
    routes: Option<Routes>,
    known: Vec<IpAddr>,
}

impl Sources {
    pub fn address(&self, id: SourceId) -> Option<IpAddr> {
        self.known.get(usize::from(id.0).checked_sub(1)?).copied()
    }

    /// The route to an address.
    pub fn route(&mut self, to: IpAddr) -> io::Result<Route> {
        let routes = match &mut self.routes {
            Some(routes) => routes,
            none => none.insert(Routes::new()?),
        };
        routes.look_up(to)
    }

    /// Asks the kernel's routes. An error: there is none now.
    pub fn look_up(&mut self, to: IpAddr) -> io::Result<SourceId> {
        let unreachable = || io::Error::from_raw_os_error(libc::ENETUNREACH);
        let source = self.route(to)?.source.ok_or_else(unreachable)?;
        if let Some(at) = self.known.iter().position(|known| *known == source) {
            return Ok(SourceId(at as u16 + 1));
        }
        if self.known.len() >= usize::from(u16::MAX) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        self.known.push(source);
        Ok(SourceId(self.known.len() as u16))
    }
}
