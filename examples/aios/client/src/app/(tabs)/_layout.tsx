import Feather from '@expo/vector-icons/Feather';
import { Tabs } from 'expo-router';
import type { ComponentProps } from 'react';
import type { ColorValue } from 'react-native';

import { usePalette } from '@/ui/theme';

type IconName = ComponentProps<typeof Feather>['name'];

function icon(name: IconName) {
  return function TabIcon({ color, size }: { color: ColorValue; size: number }) {
    return <Feather color={color} name={name} size={size} />;
  };
}

export default function TabsLayout() {
  const palette = usePalette();
  const bar = { backgroundColor: palette.surface, borderColor: palette.border };
  return (
    <Tabs
      screenOptions={{
        headerStyle: bar,
        headerTintColor: palette.text,
        tabBarActiveTintColor: palette.accent,
        tabBarInactiveTintColor: palette.faint,
        tabBarStyle: bar,
      }}
    >
      <Tabs.Screen
        name="index"
        options={{ title: 'Notes', tabBarIcon: icon('edit-3'), tabBarButtonTestID: 'tab-notes' }}
      />
      <Tabs.Screen
        name="tasks"
        options={{ title: 'Tasks', tabBarIcon: icon('check-square'), tabBarButtonTestID: 'tab-tasks' }}
      />
      <Tabs.Screen
        name="about"
        options={{ title: 'About', tabBarIcon: icon('info'), tabBarButtonTestID: 'tab-about' }}
      />
    </Tabs>
  );
}
