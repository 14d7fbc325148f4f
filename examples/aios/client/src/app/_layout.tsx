import { DarkTheme, DefaultTheme, Stack, ThemeProvider } from 'expo-router';
import { StatusBar } from 'expo-status-bar';
import { useColorScheme } from 'react-native';

import { SessionProvider, useSession } from '@/session/SessionProvider';

export default function RootLayout() {
  const dark = useColorScheme() === 'dark';
  return (
    <ThemeProvider value={dark ? DarkTheme : DefaultTheme}>
      <SessionProvider>
        <StatusBar style="auto" />
        <Screens />
      </SessionProvider>
    </ThemeProvider>
  );
}

/** Which screens exist depends on whether somebody is signed in, so no screen has to ask. */
function Screens() {
  const { session } = useSession();
  // Nothing until the device has answered: the sign-in screen must not flash up for a signed-in person.
  if (session === undefined) return null;
  return (
    <Stack screenOptions={{ headerShown: false }}>
      <Stack.Protected guard={session !== null}>
        <Stack.Screen name="(tabs)" />
      </Stack.Protected>
      <Stack.Protected guard={session === null}>
        <Stack.Screen name="sign-in" options={{ title: 'AIOS' }} />
      </Stack.Protected>
    </Stack>
  );
}
