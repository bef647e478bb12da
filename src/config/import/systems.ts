/** Systems whose files are taken over; registry.ts says how. */
export const IMPORTED_SYSTEMS = ['azlin', 'blixard', 'kubevirt'] as const;
