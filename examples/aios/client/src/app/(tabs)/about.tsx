import { StyleSheet, Text, View } from 'react-native';

import { describeApp, type Fact } from '@/about/describeApp';
import { useServerVersion } from '@/about/useServerVersion';
import { useSession } from '@/session/SessionProvider';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Problem } from '@/ui/Problem';
import { Screen } from '@/ui/Screen';
import { usePalette } from '@/ui/theme';

export default function AboutScreen() {
  const { session, signOut } = useSession();
  const { server, problem } = useServerVersion();
  return (
    <Screen>
      <Facts facts={describeApp()} title="This app" />
      {server ? (
        <Facts
          facts={[
            { name: 'Greeting', value: server.greeting },
            { name: 'Server version', value: server.version },
            { name: 'Release', value: server.release },
          ]}
          title="The server"
        />
      ) : null}
      <Problem message={problem} />
      <Facts facts={[{ name: 'Signed in as', value: session?.email ?? '' }]} title="You" />
      <Button label="Sign out" onPress={signOut} quiet testID="sign-out" />
    </Screen>
  );
}

function Facts({ title, facts }: { title: string; facts: Fact[] }) {
  const palette = usePalette();
  return (
    <Card>
      <Text role="heading" style={[styles.title, { color: palette.text }]}>
        {title}
      </Text>
      {facts.map(({ name, value }) => (
        <View key={name} style={styles.row}>
          <Text style={[styles.text, { color: palette.faint }]}>{name}</Text>
          <Text selectable style={[styles.text, styles.value, { color: palette.text }]} testID={name}>
            {value}
          </Text>
        </View>
      ))}
    </Card>
  );
}

const styles = StyleSheet.create({
  row: { flexDirection: 'row', gap: 12, justifyContent: 'space-between' },
  text: { fontSize: 16 },
  title: { fontSize: 18, fontWeight: '600' },
  value: { flex: 1, textAlign: 'right' },
});
