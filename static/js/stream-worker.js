// Listens for all tabs where they have no lock to choose one among them by (stream.js). It lives as long as any of them.

import { Listener } from "./live/listener.js";

const page = JSON.parse(self.name);
const channel = new BroadcastChannel(page.channel);
const post = (message) => channel.postMessage(message);
const listener = new Listener(page, (name, detail) => post({ name, detail }));

channel.onmessage = (message) => listener.hear(message.data, post);
listener.listen();
