// In the place of next/navigation.
export const useRouter = () => ({ refresh: () => { document.title = "refreshed"; } });
