/** Writes an initrd of the lab with vmpulse's guest agent in it; `config`: vmpulse-agent.toml. */
export function writeInitrdWithAgent(path: string, config: string): void;
