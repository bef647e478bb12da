import type { NotifyApi } from '../../../src/notify/notify-views.js';

const none = () => Promise.reject(new Error('this daemon tells nobody'));

export const noNotifier: NotifyApi = { list: () => [], add: none, remove: none, test: none };
